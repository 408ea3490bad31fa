// A re-export, so that `import` and `require` share their classes.
export { SessionStore } from "./express-session.cjs";
export type * from "./express-session.cjs";

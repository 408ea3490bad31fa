// A re-export, so that `import` and `require` share their classes.
export { ERROR_CODES, Oncecode, OncecodeError } from "./index.cjs";
export type * from "./index.cjs";

// A re-export, so that `import` and `require` share their classes.
export { RateLimitStore } from "./express-rate-limit.cjs";
export type * from "./express-rate-limit.cjs";

// A re-export, so that `import` and `require` share their classes.
export { clientIp, DevInbox, errorHandler, idempotent, optionalAuth, rateLimit, requireAuth, requireToken, router } from "./express.cjs";
export type * from "./express.cjs";

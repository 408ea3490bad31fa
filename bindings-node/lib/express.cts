// `oncecode/express`: the endpoints of one-time codes, and the middleware around them, for Express 4 and 5.

export { errorHandler, type ErrorHandlerOptions } from "./express/errors.cjs";
export { type Auth, type AuthOptions, optionalAuth, requireAuth, requireToken, type Signed } from "./express/auth.cjs";
export { type IdempotentOptions, idempotent } from "./express/idempotent.cjs";
export { DevInbox, type InboxMessage, type InboxOptions } from "./express/inbox.cjs";
export { rateLimit, type RateLimitOptions } from "./express/limit.cjs";
export { router } from "./express/router.cjs";
export type { LinkRoutes, ProvenAddress, RouterOptions, User } from "./express/options.cjs";
export { clientIp } from "./express/caller.cjs";

import type { Request, RequestHandler } from "express";
import type { Oncecode } from "../index.cjs";
import { clientIp } from "./caller.cjs";
import { handler } from "./handler.cjs";

/** What {@link rateLimit} can be told. */
export interface RateLimitOptions {
  /** Whom to count beside the IP address, such as `(req) => req.userId`; what is not known is not counted. */
  key?: ((req: Request) => string | null | undefined) | undefined;
  /** Whether the IP address counts. Default true; without it, a request needs a key. */
  ip?: boolean | undefined;
  /** How much a request takes. Default 1. */
  cost?: number | undefined;
  /** Gives back what requests took that were answered with less than 400: for limits on what fails. Default false. */
  skipSuccessful?: boolean | undefined;
}

/**
 * Takes one from a limit of `once.limits` for each request; answers 429 when none is left, with `Retry-After`. All answers
 * have `RateLimit` headers.
 *
 * ```js
 * app.post("/login", rateLimit(once, "auth"), login);
 * ```
 */
export function rateLimit(once: Oncecode, limit: string, options: RateLimitOptions = {}): RequestHandler {
  const { key, ip = true, cost, skipSuccessful = false } = options;
  return handler(once, async (req, res, next) => {
    const hit = { limit, ip: ip ? clientIp(once, req) : undefined, key: key?.(req) ?? undefined, cost };
    const { headers } = await once.limits.hit(hit);
    for (const [name, value] of Object.entries(headers)) res.setHeader(name, value);
    if (skipSuccessful) {
      // What can't be given back is over with the window.
      res.once("finish", () => res.statusCode < 400 && once.limits.refund(hit).catch(() => {}));
    }
    next();
  });
}

// Who sent a request, and with which token.

import type { Request } from "express";
import type { Oncecode } from "../index.cjs";

const LOOPBACK = "127.0.0.1";

/**
 * The address of whoever sent a request. Proxies are believed only where the client's option `trustedProxies` names them;
 * Express's `trust proxy` plays no part. What has no address, such as a Unix socket, counts as this machine.
 */
export function clientIp(once: Oncecode, req: Request): string {
  const remote = req.socket.remoteAddress?.replace(/%.*$/, "") || LOOPBACK;
  const forwarded = req.headers["x-forwarded-for"];
  return once.limits.clientIp(remote, Array.isArray(forwarded) ? forwarded.join(",") : forwarded);
}

/** The token of the `Authorization` header. */
export function bearer(req: Request): string | undefined {
  const [, token] = /^Bearer +([^\s]+) *$/i.exec(req.headers.authorization ?? "") ?? [];
  return token;
}

/** The session's token: of the `Authorization` header, or else of the cookie. */
export function sessionToken(once: Oncecode, req: Request): string | undefined {
  return bearer(req) ?? once.sessions.readCookie(req.headers.cookie);
}

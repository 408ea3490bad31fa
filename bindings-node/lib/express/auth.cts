// Who is logged in: by the session's cookie, or by a token in the `Authorization` header.

import type { Request, RequestHandler } from "express";
import { OncecodeError } from "../errors.cjs";
import type { Oncecode, Session, TokenClaims } from "../index.cjs";
import { bearer, clientIp, sessionToken } from "./caller.cjs";
import { handler } from "./handler.cjs";

/** Who is logged in. */
export interface Auth {
  /** The user. */
  userId: string;
  /** The session, where there is one. */
  session?: Session;
  /** The claims of the token (JWT), where it was one. */
  claims?: TokenClaims;
}

declare global {
  namespace Express {
    // `req.session` stays express-session's.
    interface Request {
      /** The user who is logged in; `null` where nobody is (`optionalAuth`). */
      userId?: string | null;
      /** The session or the claims behind `userId`. */
      auth?: Auth;
    }
  }
}

/** A request behind {@link requireAuth}: `(req as Signed).userId` is a string. */
export type Signed<R = Request> = R & { userId: string; auth: Auth };

/** What {@link requireAuth} can be told. */
export interface AuthOptions {
  /** Which tokens count: `"session"` (default), or `"token"` for JWT of `once.tokens`. */
  by?: "session" | "token" | undefined;
}

/** Lets a request pass whose session (or token) is live, and sets `req.userId` and `req.auth`; else answers 401. */
export function requireAuth(once: Oncecode, { by = "session" }: AuthOptions = {}): RequestHandler {
  return handler(once, async (req, _, next) => {
    set(req, await found(once, req, by));
    next();
  });
}

/** {@link requireAuth} for JSON Web Tokens. */
export function requireToken(once: Oncecode): RequestHandler {
  return requireAuth(once, { by: "token" });
}

/** The same for pages that anybody may see: without a live session `req.userId` is `null`. A store that is down is a 503. */
export function optionalAuth(once: Oncecode, { by = "session" }: AuthOptions = {}): RequestHandler {
  return handler(once, async (req, _, next) => {
    try {
      set(req, await found(once, req, by));
    } catch (error) {
      if (!(error instanceof OncecodeError) || error.status !== 401) throw error;
      req.userId = null;
    }
    next();
  });
}

function set(req: Request, auth: Auth): void {
  req.userId = auth.userId;
  req.auth = auth;
}

export async function found(once: Oncecode, req: Request, by: "session" | "token"): Promise<Auth> {
  if (by === "session") {
    const token = sessionToken(once, req);
    if (token === undefined) throw new OncecodeError("SESSION_NOT_FOUND", "Authentication required");
    const session = await once.sessions.validate(token, { ip: clientIp(once, req) });
    return { userId: session.userId, session };
  }
  const token = bearer(req);
  if (token === undefined) throw new OncecodeError("TOKEN_INVALID", "Authentication required");
  const claims = await once.tokens.verify(token);
  if (claims.sub === undefined) throw new OncecodeError("TOKEN_INVALID", "the token names no user");
  return { userId: claims.sub, claims };
}

import type { Request, Response } from "express";
import { OncecodeError } from "../errors.cjs";
import type { Oncecode } from "../index.cjs";
import { clientIp, sessionToken } from "./caller.cjs";
import type { ProvenAddress, Settled, User } from "./options.cjs";

export type Login = "session" | "token" | "none";

/** Asks the app who that is, and logs them in: always with a new token, never with one that the browser brought. */
export async function logIn(
  once: Oncecode,
  { onVerified = itself, tokenInBody }: Settled,
  login: Login,
  proven: ProvenAddress,
  req: Request,
  res: Response,
): Promise<{ token?: string; user?: User }> {
  const user = await onVerified(proven, req);
  if (user === null || user === undefined) return {};
  const userId = idOf(user);
  if (login === "none") return { user };
  if (login === "token") return { token: await once.tokens.sign({ sub: userId }), user };

  const before = sessionToken(once, req);
  const { token } = await once.sessions.create({ userId, device: req.headers["user-agent"], ip: clientIp(once, req) });
  // The session that the browser had ends; should that fail, it is the one the user knew, and expires.
  if (before !== undefined) await once.sessions.revoke({ token: before }).catch(() => {});
  res.append("Set-Cookie", once.sessions.cookie(token));
  return { ...(tokenInBody && { token }), user };
}

function itself({ identifier }: ProvenAddress): User {
  return { id: identifier, [identifier.includes("@") ? "email" : "phoneNumber"]: identifier };
}

function idOf(user: User): string {
  const id: unknown = user.id;
  if ((typeof id === "string" && id !== "") || Number.isSafeInteger(id)) return String(id);
  throw new OncecodeError("CONFIG", "onVerified must return a user with an `id`, a string or a whole number, or nothing");
}

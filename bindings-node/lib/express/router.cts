// The endpoints. What they take and answer is one contract with oncecode.fastapi: tests/cases/http.

import express = require("express");
import type { Request, Response, Router } from "express";
import type { Oncecode, Sent, Verified } from "../index.cjs";
import { found } from "./auth.cjs";
import { type Body, body, invalid, oneOf, onlyFields, optionalText, text } from "./body.cjs";
import { clientIp, sessionToken, bearer } from "./caller.cjs";
import { OncecodeError } from "../errors.cjs";
import { handler } from "./handler.cjs";
import { linkRoutes } from "./links.cjs";
import { type Login, logIn } from "./login.cjs";
import { type RouterOptions, type Settled, settled } from "./options.cjs";

const ADDRESSES = ["to", "phoneNumber", "phone", "email"];
const CODES = ["otp", "code", "otp_code"];

/**
 * A router with `/otp/request`, `/otp/verify`, `/otp/resend`, `/session` and `/logout`, and with the options for them
 * `/email/request`, `/email/verify`, `/signup/send-otp` and `/signup/verify-otp`.
 *
 * ```js
 * app.use("/api/auth", router(once, { onVerified: ({ identifier }) => users.findOrCreate(identifier) }));
 * ```
 *
 * It reads bodies by itself (JSON, at most 16 KiB), and answers errors by itself. No answer may be cached.
 *
 * @throws OncecodeError `CONFIG` for options that cannot work.
 */
export function router(once: Oncecode, options: RouterOptions = {}): Router {
  const settings = settled(options);
  const routes = express.Router();
  const post = (path: string, act: (req: Request, res: Response) => Promise<unknown>) =>
    routes.post(path, handler(once, async (req, res) => void res.json(await act(req, res))));

  routes.use((_, res, next) => {
    res.setHeader("Cache-Control", "no-store");
    next();
  });
  codeRoutes(once, settings, post);
  if (settings.userTypes.length > 0) signupRoutes(once, settings, post);
  if (settings.links !== undefined) linkRoutes(once, settings, settings.links, routes);
  sessionRoutes(once, settings, routes, post);
  return routes;
}

export type Post = (path: string, act: (req: Request, res: Response) => Promise<unknown>) => unknown;

function codeRoutes(once: Oncecode, settings: Settled, post: Post): void {
  const { fields } = settings;
  post("/otp/request", async (req, res) => {
    const said = await body(req, res);
    onlyFields(said, [...ADDRESSES, "purpose", "locale", ...fields]);
    const { to, purpose } = target(said, settings);
    if (to === undefined) throw invalid(`one of ${ADDRESSES.join(", ")} is needed`);
    return sent(await once.codes.issue({ ...common(once, req, said), to, purpose, data: own(said, fields) }), "sent");
  });
  post("/otp/resend", async (req, res) => {
    const said = await body(req, res);
    onlyFields(said, [...ADDRESSES, "id", "purpose", "locale", "type", ...fields]);
    const resent = await once.codes.resend({ ...common(once, req, said), ...target(said, settings) });
    return sent(resent, "resent");
  });
  post("/otp/verify", async (req, res) => {
    const said = await body(req, res);
    onlyFields(said, [...ADDRESSES, ...CODES, "id", "purpose", ...fields]);
    return verified(once, settings, req, res, said, target(said, settings));
  });
}

/** The form of the sign-up endpoints: an email address, and `user_type` makes the purpose. */
function signupRoutes(once: Oncecode, settings: Settled, post: Post): void {
  const { fields, userTypes } = settings;
  const signup = (said: Body) => {
    const type = text(said, "user_type");
    if (!userTypes.includes(type)) throw invalid(`user_type must be one of ${userTypes.join(", ")}`);
    return { to: address("email", text(said, "email")), purpose: `signup-${type}` };
  };
  post("/signup/send-otp", async (req, res) => {
    const said = await body(req, res);
    onlyFields(said, ["email", "user_type", "locale", ...fields]);
    const request = { ...common(once, req, said), ...signup(said), data: own(said, fields) };
    return sent(await once.codes.issue(request), "sent");
  });
  post("/signup/verify-otp", async (req, res) => {
    const said = await body(req, res);
    onlyFields(said, ["email", "user_type", ...CODES, ...fields]);
    return verified(once, settings, req, res, said, signup(said));
  });
}

function sessionRoutes(once: Oncecode, settings: Settled, routes: Router, post: Post): void {
  const { login, loadUser } = settings;
  if (login === "none") return;
  routes.get(
    "/session",
    handler(once, async (req, res) => {
      const { userId, session, claims } = await found(once, req, login);
      const user = await loadUser?.(userId, req);
      const shown = session
        ? { id: session.id, userId, createdAt: session.createdAt, lastActiveAt: session.lastActiveAt, expiresAt: session.expiresAt }
        : { userId, expiresAt: new Date((claims?.exp ?? 0) * 1000) };
      res.json({ success: true, session: shown, ...(user && { user }) });
    }),
  );
  post("/logout", async (req, res) => {
    await body(req, res, true);
    await logOut(once, req, login);
    if (login === "session") res.append("Set-Cookie", once.sessions.clearCookie());
    return { success: true, message: "Logged out" };
  });
}

/** Whoever is logged out already is so. */
async function logOut(once: Oncecode, req: Request, login: Login): Promise<void> {
  const token = login === "session" ? sessionToken(once, req) : bearer(req);
  if (token === undefined) return;
  if (login === "session") return void (await once.sessions.revoke({ token }));
  await once.tokens.revoke(token).catch((error: unknown) => {
    if (!(error instanceof OncecodeError) || error.status !== 401) throw error;
  });
}

async function verified(
  once: Oncecode,
  settings: Settled,
  req: Request,
  res: Response,
  said: Body,
  target: { to?: string | undefined; id?: string | undefined; purpose: string },
): Promise<unknown> {
  const code = oneOf(said, CODES)?.text;
  if (code === undefined) throw invalid(`one of ${CODES.join(", ")} is needed`);
  const done: Verified = await once.codes.verify({ ...target, code, ip: clientIp(once, req) });
  const proven = {
    identifier: done.identifier,
    purpose: done.purpose,
    data: (done.data ?? {}) as Record<string, unknown>,
    fields: own(said, settings.fields) ?? {},
    by: "code" as const,
  };
  const login = await logIn(once, settings, settings.login, proven, req, res);
  return { success: true, message: "OTP verified successfully", verified: true, ...login };
}

function common(once: Oncecode, req: Request, said: Body) {
  return { ip: clientIp(once, req), locale: optionalText(said, "locale") };
}

function target(said: Body, { purposes }: Settled) {
  const given = oneOf(said, ADDRESSES);
  const purpose = optionalText(said, "purpose") ?? purposes[0]!;
  if (!purposes.includes(purpose)) throw invalid(`purpose must be one of ${purposes.join(", ")}`);
  return { to: given && address(given.name, given.text), id: optionalText(said, "id"), purpose };
}

/** The address, if it is of the kind that its field says. */
export function address(name: string, to: string): string {
  if (name === "email" && !to.includes("@")) throw new OncecodeError("INVALID_EMAIL", "not an email address");
  if (name.startsWith("phone") && to.includes("@")) throw new OncecodeError("INVALID_PHONE", "not a phone number");
  return to;
}

/** The app's own fields. */
export function own(said: Body, fields: readonly string[]): Record<string, unknown> | undefined {
  const given = fields.filter((name) => said[name] !== undefined).map((name) => [name, said[name]] as const);
  return given.length === 0 ? undefined : Object.fromEntries(given);
}

function sent({ id, expiresAt, resendAt, attemptsLeft, code }: Sent, what: "sent" | "resent") {
  return {
    success: true,
    message: `OTP ${what} successfully`,
    id,
    expiresIn: secondsTo(expiresAt),
    retryAfter: secondsTo(resendAt),
    attemptsLeft,
    ...(code !== undefined && { otp: code }),
  };
}

export function secondsTo(moment: Date): number {
  return Math.max(0, Math.ceil((moment.getTime() - Date.now()) / 1000));
}

// The endpoints behind a session: the records, and the devices that somebody is signed in on.

import express, { type RequestHandler, type Router } from "express";
import { type Oncecode, OncecodeError } from "oncecode";
import { rateLimit, requireAuth, type Signed } from "oncecode/express";
import { recordsOf } from "./records.ts";
import { shown, type Users } from "./users.ts";

export function vaultRoutes(once: Oncecode, users: Users): Router {
  const routes = express.Router();
  const closed: RequestHandler[] = [rateLimit(once, "api"), requireAuth(once), uncached];

  routes.get("/vault", ...closed, async (req, res) => {
    const { userId } = req as Signed;
    const user = await users.find(userId);
    // A user who was deleted is out, whatever the session says.
    if (user === undefined) throw new OncecodeError("SESSION_NOT_FOUND", "Authentication required");
    res.json({ success: true, user: { ...shown(user), memberSince: user.createdAt }, records: await recordsOf(userId) });
  });

  routes.get("/sessions", ...closed, async (req, res) => {
    const { userId, auth } = req as Signed;
    const sessions = (await once.sessions.list(userId)).map(({ id, device, createdAt, lastActiveAt }) => {
      return { id, device, createdAt, lastActiveAt, current: id === auth.session?.id };
    });
    res.json({ success: true, sessions });
  });

  // No form of another site can send a DELETE, and an id ends a session of its own user only.
  routes.delete("/sessions/:id", ...closed, async (req, res) => {
    await once.sessions.revoke({ userId: (req as Signed).userId, id: req.params["id"] as string });
    res.json({ success: true, message: "Logged out there" });
  });
  return routes;
}

const uncached: RequestHandler = (_, res, next) => {
  res.setHeader("Cache-Control", "no-store");
  next();
};

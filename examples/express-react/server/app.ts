// The API: oncecode's router, and endpoints of our own behind a session.

import express, { type Express } from "express";
import { type Oncecode, OncecodeError } from "oncecode";
import { type DevInbox, errorHandler, rateLimit, requireAuth, router, type Signed } from "oncecode/express";
import { recordsOf } from "./records.ts";
import type { User, Users } from "./users.ts";

export interface Parts {
  once: Oncecode;
  users: Users;
  /** Mounted in development. */
  inbox: DevInbox | undefined;
  /** Adds what is not the API: the pages. */
  pages: (app: Express) => void;
}

export function createApp({ once, users, inbox, pages }: Parts): Express {
  const app = express();
  app.disable("x-powered-by");
  app.use((_, res, next) => {
    res.setHeader("X-Content-Type-Options", "nosniff");
    res.setHeader("Referrer-Policy", "no-referrer");
    next();
  });

  app.use(
    "/api/auth",
    router(once, {
      onVerified: async ({ identifier }) => shown(await users.findOrCreate(identifier)),
      loadUser: async (id) => {
        const user = await users.find(id);
        return user && shown(user);
      },
      // Browsers have the cookie, which no script can read; an app for telephones would want `true`.
      tokenInBody: false,
    }),
  );
  app.get("/api/vault", rateLimit(once, "api"), requireAuth(once), async (req, res) => {
    const { userId } = req as Signed;
    const user = await users.find(userId);
    // A user who was deleted is out, whatever the session says.
    if (user === undefined) throw new OncecodeError("SESSION_NOT_FOUND", "Authentication required");
    res.setHeader("Cache-Control", "no-store");
    res.json({ success: true, user: { ...shown(user), memberSince: user.createdAt }, records: await recordsOf(userId) });
  });
  app.use("/api", (_, res) => void res.status(404).json({ success: false, message: "There is no such endpoint." }));

  if (inbox !== undefined) app.use(inbox.router(once));
  pages(app);
  app.use(errorHandler(once));
  return app;
}

/** Everything in it goes to the browser. */
function shown({ id, phoneNumber }: User) {
  return { id, phoneNumber };
}

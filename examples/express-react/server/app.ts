// The API: oncecode's router, and our own endpoints; then the pages.

import express, { type Express } from "express";
import type { Oncecode } from "oncecode";
import { type DevInbox, errorHandler, router } from "oncecode/express";
import { shown, type Users } from "./users.ts";
import { vaultRoutes } from "./vault.ts";

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
  app.use("/api", vaultRoutes(once, users));
  app.use("/api", (_, res) => void res.status(404).json({ success: false, message: "There is no such endpoint." }));

  if (inbox !== undefined) app.use(inbox.router(once));
  pages(app);
  app.use(errorHandler(once));
  return app;
}

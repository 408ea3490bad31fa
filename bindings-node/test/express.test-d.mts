// Compiled, never run: the types of `oncecode/express` and of the stores for other packages, beside express-session's.

import express, { type Request } from "express";
import { rateLimit as expressRateLimit } from "express-rate-limit";
import session, { type Session as ExpressSession, type SessionData } from "express-session";
import { Oncecode, type Session } from "oncecode";
import { type Auth, DevInbox, errorHandler, idempotent, optionalAuth, rateLimit, requireAuth, router, type Signed } from "oncecode/express";
import { RateLimitStore } from "oncecode/express-rate-limit";
import { SessionStore } from "oncecode/express-session";

type Same<A, B> = (<T>() => T extends A ? 1 : 2) extends <T>() => T extends B ? 1 : 2 ? true : false;
function same<A, B>(_: Same<A, B>): void {}

const inbox = new DevInbox({ keep: 10 });
const once = await Oncecode.open("memory:", { mode: "development", sender: inbox.send });
same<typeof once.mode, "development" | "production">(true);

const app = express();
app.use(session({ store: new SessionStore(once, { ttlSeconds: 60 }), secret: "s", resave: false, saveUninitialized: false }));
app.use(expressRateLimit({ windowMs: 60_000, limit: 2, store: new RateLimitStore(once, { prefix: "a" }) }));
app.use(inbox.router(once));
app.use("/auth", router(once, { onVerified: async ({ identifier, by }) => ({ id: identifier, by }), purposes: ["login"] }));
app.use("/links", router(once, { links: { url: "https://a.example", send: async ({ to, url }) => console.log(to, url) } }));
app.get("/me", requireAuth(once), (req, res) => {
  same<typeof req.userId, string | null | undefined>(true);
  same<typeof req.auth, Auth | undefined>(true);
  // Still that of express-session.
  const kept: ExpressSession & Partial<SessionData> = req.session;
  kept.regenerate(() => {});
  // @ts-expect-error: ours is `req.auth.session`
  kept.userId;
  const signed = req as Signed;
  same<typeof signed.userId, string>(true);
  const ours: Session | undefined = signed.auth.session;
  void ours;
  res.json({});
});
app.get("/maybe", optionalAuth(once, { by: "token" }));
app.get("/search", rateLimit(once, "search", { key: (req: Request) => req.userId, skipSuccessful: true }));
app.post("/pay", idempotent(once, { scope: (req) => req.userId ?? "" }));
app.use(errorHandler(once, { log: (error) => console.error(error) }));

// @ts-expect-error: users have an id
router(once, { onVerified: () => ({ name: "Ann" }) });
// @ts-expect-error: no such option
router(once, { onVerfied: () => null });
// Sent by the client's own sender.
router(once, { links: { url: "https://a.example" } });
// @ts-expect-error: where to, is what a link must say
router(once, { links: {} });

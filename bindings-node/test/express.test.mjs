// What the HTTP cases cannot say of `oncecode/express`: the inbox, stores of other packages, apps of other kinds.

import assert from "node:assert/strict";
import { createRequire } from "node:module";
import net from "node:net";
import { test } from "node:test";
import express from "express";
import { rateLimit as expressRateLimit } from "express-rate-limit";
import session from "express-session";
import { Oncecode, OncecodeError } from "oncecode";
import { DevInbox, errorHandler, idempotent, rateLimit, requireAuth, router } from "oncecode/express";
import { RateLimitStore } from "oncecode/express-rate-limit";
import { SessionStore } from "oncecode/express-session";

import { SECRET, STORES, open, phone } from "./support.mjs";

/** Begins an app; gives a function that asks it. */
async function serve(t, app) {
  const server = app.listen(0, "127.0.0.1");
  await new Promise((ready) => server.once("listening", ready));
  t.after(() => {
    server.closeAllConnections();
    server.close();
  });
  const base = `http://127.0.0.1:${server.address().port}`;
  return (path, init = {}) => fetch(base + path, init);
}

/** A way to a server that stops passing anything on when it is frozen. */
async function freezable(t, url) {
  const sockets = [];
  const proxy = net.createServer((near) => {
    const far = net.connect(Number(url.port), url.hostname);
    sockets.push(near, far);
    for (const [from, to] of [[near, far], [far, near]]) {
      from.pipe(to);
      from.on("error", () => {});
    }
  });
  await new Promise((ready) => proxy.listen(0, "127.0.0.1", ready));
  t.after(() => {
    for (const socket of sockets) socket.destroy();
    proxy.close();
  });
  const through = Object.assign(new URL(url), { hostname: "127.0.0.1", port: proxy.address().port });
  const freeze = () => {
    for (const socket of sockets) socket.unpipe().pause();
    // What connects from now on is not answered either.
    proxy.removeAllListeners("connection").on("connection", (socket) => sockets.push(socket.pause()));
  };
  return { url: through.href, freeze };
}

const json = (body) => ({ method: "POST", headers: { "content-type": "application/json" }, body: JSON.stringify(body) });
const production = (t) => open(t, { mode: "production", secret: SECRET, sender: () => {} });

test("import and require share the functions", () => {
  const required = createRequire(import.meta.url)("oncecode/express");
  assert.equal(required.router, router);
});

test("an app that reads all bodies by itself works as well", async (t) => {
  const once = await open(t);
  const app = express().use(express.json()).use(express.urlencoded()).use("/auth", router(once));
  const ask = await serve(t, app);
  assert.equal((await ask("/auth/otp/request", json({ phoneNumber: phone() }))).status, 200);
  const form = { method: "POST", body: new URLSearchParams({ phoneNumber: phone() }) };
  assert.equal((await ask("/auth/otp/request", form)).status, 415);
  const large = await ask("/auth/otp/request", json({ phoneNumber: "1".repeat(20_000) }));
  assert.equal(large.status, 413);
});

test("options that cannot work are refused when the router is made", async (t) => {
  const once = await open(t);
  for (const options of [
    { onVerfied: () => {} },
    { login: "cookie" },
    { purposes: [] },
    { fields: ["phoneNumber"] },
    { links: { send: () => {} } },
    { links: { url: "https://app.example", send: "smtp" } },
  ]) {
    assert.throws(() => router(once, options), { name: "OncecodeError", code: "CONFIG" });
  }
});

test("a user without an id is the app's mistake", async (t) => {
  const once = await open(t);
  const ask = await serve(t, express().use(router(once, { onVerified: () => ({ name: "Ann" }) })));
  const to = phone();
  const { otp } = await (await ask("/otp/request", json({ to }))).json();
  const answer = await ask("/otp/verify", json({ to, otp }));
  assert.deepEqual([answer.status, (await answer.json()).code, answer.headers.get("set-cookie")], [500, "CONFIG", null]);
});

test("what the app's database throws goes to the app's error handler", async (t) => {
  const once = await open(t);
  const thrown = [];
  const app = express()
    .use(router(once, { onVerified: () => Promise.reject(new Error("no database")) }))
    .use(errorHandler(once, { log: (error) => thrown.push(error.message) }));
  const ask = await serve(t, app);
  const to = phone();
  const { otp } = await (await ask("/otp/request", json({ to }))).json();
  assert.equal((await ask("/otp/verify", json({ to, otp }))).status, 500);
  assert.deepEqual(thrown, ["no database"]);
});

test("a file that is not there is a 404, and its path is not told", async (t) => {
  const once = await production(t);
  const app = express().use(express.static(import.meta.dirname, { fallthrough: false })).use(errorHandler(once));
  const ask = await serve(t, app);
  const answer = await ask("/none.js");
  const { message } = await answer.json();
  assert.deepEqual([answer.status, message], [404, "Not Found"]);
});

test("a store that stops answering is a 503 in time, and nobody passes", async (t) => {
  const proxy = await freezable(t, new URL(STORES.redis()));
  const limits = { shut: { max: 5, windowSeconds: 60, outage: "closed" }, open: { max: 1, windowSeconds: 60, outage: "open" } };
  const once = await open(t, { limits, deadlineMs: 250 }, proxy.url);
  const app = express()
    .use("/auth", router(once))
    .get("/me", requireAuth(once), (req, res) => res.json({}))
    .get("/shut", rateLimit(once, "shut"), (req, res) => res.json({}))
    .get("/open", rateLimit(once, "open"), (req, res) => res.json({}));
  const ask = await serve(t, app);
  const to = phone();
  const { otp } = await (await ask("/auth/otp/request", json({ to }))).json();
  proxy.freeze();
  const began = performance.now();
  const answers = [
    await ask("/me", { headers: { authorization: `Bearer ${"A".repeat(86)}` } }),
    await ask("/shut"),
    await ask("/auth/otp/verify", json({ to, otp })),
    await ask("/auth/otp/request", json({ to: phone() })),
    await ask("/auth/logout", { method: "POST", headers: { authorization: `Bearer ${"A".repeat(86)}` } }),
  ];
  assert.ok(performance.now() - began < 5_000);
  for (const answer of answers) {
    const { success, code, token } = await answer.json();
    assert.deepEqual([answer.status, success, code, token], [503, false, "STORE_UNAVAILABLE", undefined], answer.url);
    assert.equal(answer.headers.get("set-cookie"), null);
  }
  assert.equal((await ask("/open")).status, 200);
});

test("a bad JSON body is never repeated in an answer", async (t) => {
  const once = await open(t);
  const ask = await serve(t, express().use(router(once)));
  const answer = await ask("/otp/verify", { ...json(), body: '{"to":"+15551234567","otp":"123456"' });
  assert.equal(answer.status, 400);
  assert.doesNotMatch(await answer.text(), /123456|5551234567/);
});

test("the inbox shows what would have gone out, to this machine under its own name", async (t) => {
  const inbox = new DevInbox({ keep: 2 });
  const once = await open(t, { sender: inbox.send });
  const links = { url: "https://app.example/verify", send: inbox.sendLink };
  const ask = await serve(t, express().use(inbox.router(once)).use("/auth", router(once, { links })));
  assert.match(await (await ask("/__oncecode")).text(), /Nothing was sent yet/);
  for (let i = 0; i < 2; i += 1) await ask("/auth/otp/request", json({ to: phone() }));
  const last = phone();
  await ask("/auth/otp/request", json({ to: last, locale: "en" }));
  const messages = await (await ask("/__oncecode/messages.json")).json();
  assert.deepEqual(messages.map(({ to }) => to)[0], last);
  assert.equal(messages.length, 2);
  assert.match(messages[0].code, /^\d{6}$/);
  const page = await ask("/__oncecode");
  assert.match(await page.text(), new RegExp(`<p class="code">${messages[0].code}</p>`));
  assert.match(page.headers.get("content-security-policy"), /default-src 'none'/);
  assert.equal(page.headers.get("cache-control"), "no-store");

  await ask("/auth/email/request", json({ email: "ann@example.com" }));
  const [link] = await (await ask("/__oncecode/messages.json")).json();
  assert.match(await (await ask("/__oncecode")).text(), /<a href="https:\/\/app\.example\/verify\?token=/);
  assert.equal(link.to, "ann@example.com");
});

test("the inbox is not there under another name", async (t) => {
  const { get } = await import("node:http");
  const inbox = new DevInbox();
  const once = await open(t, { sender: inbox.send });
  const server = express().use(inbox.router(once)).listen(0, "127.0.0.1");
  await new Promise((ready) => server.once("listening", ready));
  t.after(() => server.close());
  const status = (host) =>
    new Promise((done) => {
      get({ port: server.address().port, path: "/__oncecode/messages.json", headers: { host }, agent: false }, (answer) => {
        answer.resume();
        done(answer.statusCode);
      });
    });
  assert.equal(await status("evil.example"), 404);
  assert.equal(await status("localhost.evil.example"), 404);
  assert.equal(await status("localhost:3000"), 200);
  assert.equal(await status("app.localhost"), 200);
});

test("what a message says is text in the inbox", async (t) => {
  const inbox = new DevInbox();
  const once = await open(t, { sender: inbox.send, appName: "<script>alert(1)</script>" });
  const ask = await serve(t, express().use(inbox.router(once)).use(router(once)));
  await ask("/otp/request", json({ to: phone() }));
  inbox.sendLink({ to: "a@example.com", url: "javascript:alert(1)" });
  const page = await (await ask("/__oncecode")).text();
  assert.doesNotMatch(page, /<script|href="javascript/);
});

test("the inbox does not mount in production", async (t) => {
  const inbox = new DevInbox();
  assert.throws(() => new DevInbox().router({ mode: undefined }), { code: "CONFIG" });
  const once = await production(t);
  assert.throws(() => inbox.router(once), (error) => error instanceof OncecodeError && error.code === "CONFIG");
});

test("of many requests with one key one runs", async (t) => {
  const once = await open(t);
  const gate = { runs: 0 };
  gate.begun = new Promise((begin) => (gate.begin = begin));
  gate.opened = new Promise((release) => (gate.release = release));
  const app = express().post("/pay", idempotent(once, { scope: () => "a", required: true }), async (req, res) => {
    gate.runs += 1;
    gate.begin();
    await gate.opened;
    res.write("one ");
    res.end("answer");
  });
  const ask = await serve(t, app);
  assert.equal((await ask("/pay", { method: "POST" })).status, 400);
  const pay = () => ask("/pay", { method: "POST", headers: { "idempotency-key": "k" } });
  const first = pay();
  await gate.begun;
  const others = await Promise.all(Array.from({ length: 9 }, pay));
  assert.deepEqual(new Set(others.map(({ status }) => status)), new Set([409]));
  assert.ok(Number(others[0].headers.get("retry-after") ?? 1) > 0);
  gate.release();
  assert.equal(await (await first).text(), "one answer");
  const again = await pay();
  assert.deepEqual([again.headers.get("idempotency-replayed"), await again.text(), gate.runs], ["true", "one answer", 1]);
});

test("express-session keeps its sessions in a client's store", async (t) => {
  for (const store of ["memory", "redis"]) {
    const once = await open(t, { keyPrefix: `es-${process.pid}-${Date.now()}` }, STORES[store]());
    const app = express()
      .use(session({ secret: "s", resave: false, saveUninitialized: false, store: new SessionStore(once), cookie: { maxAge: 60_000 } }))
      .get("/in", (req, res) => {
        req.session.userId = "ann";
        res.json({});
      })
      .get("/who", (req, res) => res.json({ userId: req.session.userId ?? null }))
      .get("/out", (req, res) => req.session.destroy(() => res.json({})));
    const ask = await serve(t, app);
    const begun = await ask("/in");
    // express-session sends the headers first, and the last byte when the session is saved.
    await begun.text();
    const [cookie] = begun.headers.getSetCookie();
    const who = async () => (await (await ask("/who", { headers: { cookie: cookie.split(";")[0] } })).json()).userId;
    assert.equal(await who(), "ann", store);
    await (await ask("/out", { headers: { cookie: cookie.split(";")[0] } })).text();
    assert.equal(await who(), null);
  }
});

test("a session that was destroyed is not brought back by a request that ends later", async (t) => {
  const store = new SessionStore(await open(t));
  const done = (act) => new Promise((good, fail) => act((error, value) => (error ? fail(error) : good(value))));
  const data = { cookie: { originalMaxAge: 60_000, expires: new Date(Date.now() + 60_000) }, userId: "ann" };
  await done((end) => store.set("sid", data, end));
  assert.equal((await done((end) => store.get("sid", end))).userId, "ann");
  await done((end) => store.destroy("sid", end));
  await done((end) => store.set("sid", data, end));
  await done((end) => store.touch("sid", data, end));
  assert.equal(await done((end) => store.get("sid", end)), null);
});

test("express-rate-limit counts in a client's store, over processes", async (t) => {
  const url = STORES.redis();
  const keyPrefix = `erl-${process.pid}-${Date.now()}`;
  const limiter = async () =>
    expressRateLimit({ windowMs: 60_000, limit: 2, store: new RateLimitStore(await open(t, { keyPrefix }, url)), validate: false });
  const page = (req, res) => res.json({});
  const [one, two] = [await serve(t, express().use(await limiter(), page)), await serve(t, express().use(await limiter(), page))];
  assert.deepEqual([(await one("/")).status, (await two("/")).status, (await one("/")).status], [200, 200, 429]);
});

test("express-rate-limit's store counts, gives back, tells and forgets", async (t) => {
  const store = new RateLimitStore(await open(t));
  store.init({ windowMs: 60_000 });
  assert.equal(await store.get("a"), undefined);
  for (const total of [1, 2, 3]) assert.equal((await store.increment("a")).totalHits, total);
  await store.decrement("a");
  const { totalHits, resetTime } = await store.get("a");
  assert.equal(totalHits, 2);
  assert.ok(resetTime > Date.now() + 50_000 && resetTime <= Date.now() + 61_000);
  assert.equal((await store.increment("b")).totalHits, 1);
  await store.resetKey("a");
  assert.equal((await store.increment("a")).totalHits, 1);
});

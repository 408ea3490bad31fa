// The endpoints and what they answer.

import assert from "node:assert/strict";
import { test } from "node:test";
import { logIn, other, PRODUCTION, serve } from "./support.ts";

const AUTH = "/api/auth";

test("a number asks for a code, and for another one", async (t) => {
  const { post } = await serve(t, { RESEND_SECONDS: "0" });
  const sent = await post(`${AUTH}/otp/request`, { phoneNumber: "9876543210" });
  assert.equal(sent.status, 200);
  const { id, otp, ...rest } = sent.body;
  assert.deepEqual(rest, { success: true, message: "OTP sent successfully", expiresIn: 600, retryAfter: 0, attemptsLeft: 5 });
  assert.match(otp, /^\d{6}$/);
  assert.equal(typeof id, "string");

  const resent = await post(`${AUTH}/otp/resend`, { phoneNumber: "9876543210" });
  assert.deepEqual([resent.status, resent.body.success, resent.body.message], [200, true, "OTP resent successfully"]);
  const old = await post(`${AUTH}/otp/verify`, { phoneNumber: "9876543210", otp: other(resent.body.otp) });
  assert.deepEqual([old.status, old.body.code, old.body.attemptsLeft], [401, "WRONG_CODE", 4]);
  assert.equal((await post(`${AUTH}/otp/verify`, { phoneNumber: "9876543210", otp: resent.body.otp })).status, 200);
});

test("a right code logs in, once, and makes one user of one number", async (t) => {
  const app = await serve(t);
  const { body: sent } = await app.post(`${AUTH}/otp/request`, { phoneNumber: "9876543210" });
  const entered = { phoneNumber: "+91 98765 43210", otp: sent.otp };
  const { status, body, cookie } = await app.post(`${AUTH}/otp/verify`, entered);
  const user = await app.users.findOrCreate("+919876543210");
  assert.equal(status, 200);
  assert.deepEqual(body, {
    success: true,
    message: "OTP verified successfully",
    verified: true,
    user: { id: user.id, phoneNumber: "+919876543210" },
  });
  assert.match(cookie, /^arogya_vault_session=./);
  const again = await app.post(`${AUTH}/otp/verify`, entered);
  assert.deepEqual([again.status, again.body.success, again.body.code], [401, false, "CODE_NOT_FOUND"]);
  assert.equal((await logIn(app)).body.user.id, user.id);
});

test("the vault is open to whoever is logged in, until they log out", async (t) => {
  const app = await serve(t);
  const closed = await app.ask("/api/vault");
  assert.deepEqual([closed.status, closed.body.success, closed.body.message], [401, false, "Authentication required"]);

  const { cookie, body } = await logIn(app);
  const open = await app.ask("/api/vault", { headers: { cookie } });
  assert.equal(open.status, 200);
  assert.equal(open.body.user.phoneNumber, "+919876543210");
  assert.ok(open.body.records.length > 0);
  const session = await app.ask(`${AUTH}/session`, { headers: { cookie } });
  assert.deepEqual([session.status, session.body.session.userId, session.body.user], [200, body.user.id, body.user]);

  const out = await app.post(`${AUTH}/logout`, undefined, { cookie });
  assert.deepEqual([out.status, out.body], [200, { success: true, message: "Logged out" }]);
  assert.equal(out.cookie, "arogya_vault_session=");
  for (const path of ["/api/vault", `${AUTH}/session`]) assert.equal((await app.ask(path, { headers: { cookie } })).status, 401);
});

test("a user who was deleted is out", async (t) => {
  const app = await serve(t);
  const { token } = await app.once.sessions.create({ userId: "nobody" });
  assert.equal((await app.ask("/api/vault", { headers: { authorization: `Bearer ${token}` } })).status, 401);
});

test("a session on another device is listed, and ended there; that of somebody else is not", async (t) => {
  const app = await serve(t);
  const here = await logIn(app, "9876543210", { "user-agent": "here" });
  const there = await logIn(app, "9876543210", { "user-agent": "there" });
  const other = await logIn(app, "9876543211");
  const sessions = async (cookie: string) => (await app.ask("/api/sessions", { headers: { cookie } })).body.sessions;
  const devices = (await sessions(here.cookie)).map(({ device, current }: any) => [device, current]);
  assert.deepEqual(devices.sort(), [["here", true], ["there", false]]);

  const end = async (id: string, cookie: string) => (await app.ask(`/api/sessions/${id}`, { method: "DELETE", headers: { cookie } })).status;
  const { id } = (await sessions(here.cookie)).find(({ current }: any) => !current);
  await end(id, other.cookie);
  assert.equal((await sessions(there.cookie)).length, 2);
  assert.equal(await end(id, "none=1"), 401);
  assert.equal(await end(id, here.cookie), 200);
  assert.equal((await app.ask("/api/sessions", { headers: { cookie: there.cookie } })).status, 401);
  assert.equal((await sessions(here.cookie)).length, 1);
});

test("no answer may be cached, and none says what serves it", async (t) => {
  const app = await serve(t);
  const { cookie, headers } = await logIn(app);
  const answers = [
    await app.post(`${AUTH}/otp/request`, { phoneNumber: "9876543211" }),
    await app.post(`${AUTH}/otp/request`, {}),
    await app.ask(`${AUTH}/session`),
    await app.ask(`${AUTH}/session`, { headers: { cookie } }),
    await app.ask("/api/vault"),
    await app.ask("/api/sessions", { headers: { cookie } }),
    await app.ask("/api/vault", { headers: { cookie } }),
    await app.post(`${AUTH}/logout`),
  ];
  for (const answer of [headers, ...answers.map(({ headers }) => headers)]) {
    assert.equal(answer.get("cache-control"), "no-store");
    assert.equal(answer.get("x-powered-by"), null);
    assert.equal(answer.get("x-content-type-options"), "nosniff");
  }
});

test("a log-in gives a new session, never one that the browser brought", async (t) => {
  const app = await serve(t);
  const first = await logIn(app);
  const planted = `arogya_vault_session=${"a".repeat(86)}`;
  const second = await logIn(app, "9876543210", { cookie: first.cookie });
  const third = await logIn(app, "9876543210", { cookie: planted });
  assert.equal(new Set([first.cookie, second.cookie, third.cookie, planted]).size, 4);
  assert.equal((await app.ask("/api/vault", { headers: { cookie: first.cookie } })).status, 401);
  assert.equal((await app.ask("/api/vault", { headers: { cookie: planted } })).status, 401);
});

test("in production a code is in the message alone, and the cookie is of this host over TLS", async (t) => {
  const { post, ask, inbox } = await serve(t, PRODUCTION);
  const sent = await post(`${AUTH}/otp/request`, { phoneNumber: "9876543210" });
  assert.deepEqual(Object.keys(sent.body).sort(), ["attemptsLeft", "expiresIn", "id", "message", "retryAfter", "success"]);
  assert.equal((await ask("/__oncecode/messages.json")).status, 404);
  const { headers } = await post(`${AUTH}/otp/verify`, { phoneNumber: "9876543210", otp: inbox.messages[0]!.code });
  const [name, ...flags] = headers.getSetCookie()[0]!.split("; ");
  assert.match(name!, /^__Host-arogya_vault_session=/);
  assert.deepEqual(flags.filter((flag) => !flag.startsWith("Max-Age")).sort(), ["HttpOnly", "Path=/", "SameSite=Lax", "Secure"]);
  assert.equal(flags.find((flag) => flag.startsWith("Max-Age")), "Max-Age=2592000");
});

test("in development messages are in the inbox", async (t) => {
  const { post, ask } = await serve(t);
  const sent = await post(`${AUTH}/otp/request`, { phoneNumber: "9876543210" });
  const { body } = await ask("/__oncecode/messages.json");
  assert.deepEqual([body[0].to, body[0].code], ["+919876543210", sent.body.otp]);
  assert.match(body[0].text, /Arogya Vault/);
});

test("what is no endpoint says so", async (t) => {
  const { ask } = await serve(t);
  const { status, body } = await ask("/api/nothing", { headers: { accept: "text/html" } });
  assert.deepEqual([status, body], [404, { success: false, message: "There is no such endpoint." }]);
});

test("pages may load nothing of others, and stand in no frame", async (t) => {
  const { ask } = await serve(t);
  for (const path of ["/", "/vault"]) {
    const { status, headers } = await ask(path, { headers: { accept: "text/html" } });
    assert.equal(status, 200);
    assert.match(headers.get("content-security-policy")!, /default-src 'none'; script-src 'self'; .*frame-ancestors 'none'/);
    assert.equal(headers.get("cache-control"), "no-cache");
    assert.equal(headers.get("referrer-policy"), "no-referrer");
  }
  assert.equal((await ask("/assets/none.js")).status, 404);
  assert.equal((await ask("/none.png", { headers: { accept: "image/png" } })).status, 404);
});

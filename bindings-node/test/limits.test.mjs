// `once.limits`, as apps use it.

import assert from "node:assert/strict";
import { test } from "node:test";

import { Oncecode, OncecodeError } from "../index.mjs";

const OPTIONS = { mode: "development", sender: "none:" };

async function client(t, options = {}, url = "memory:") {
  const once = await Oncecode.open(url, { ...OPTIONS, keyPrefix: `test-${process.pid}-${Date.now()}`, ...options });
  t.after(() => once.close());
  return once;
}

for (const [store, url] of [
  ["memory", () => "memory:"],
  ["redis", () => process.env.ONCECODE_TEST_REDIS],
  ["postgres", () => process.env.ONCECODE_TEST_POSTGRES],
]) {
  test(`a limit refuses what is too much and says when to come again, on ${store}`, async (t) => {
    const once = await client(t, { limits: { mine: { max: 2, windowSeconds: 60 } }, deadlineMs: 5000 }, url());
    const first = await once.limits.hit({ limit: "mine", key: "u1" });
    assert.deepEqual([first.allowed, first.max, first.remaining, first.degraded], [true, 2, 1, false]);
    assert.ok(first.resetsInSeconds > 50 && first.resetsInSeconds <= 60);
    assert.equal(first.headers["RateLimit-Policy"], '"mine";q=2;w=60');
    assert.match(first.headers.RateLimit, /^"mine";r=1;t=\d+$/);
    assert.ok(!("Retry-After" in first.headers));
    await once.limits.hit({ limit: "mine", key: "u1" });
    await assert.rejects(once.limits.hit({ limit: "mine", key: "u1" }), (error) => {
      assert.ok(error instanceof OncecodeError);
      assert.deepEqual([error.code, error.status], ["RATE_LIMITED", 429]);
      assert.ok(error.retryAfterSeconds >= 50 && error.retryAfterSeconds <= 60);
      assert.equal(error.headers["Retry-After"], String(error.retryAfterSeconds));
      return true;
    });
    assert.equal((await once.limits.peek({ limit: "mine", key: "u1" })).remaining, 0);
    assert.equal((await once.limits.peek({ limit: "mine", key: "u2" })).remaining, 2);
    await once.limits.reset({ limit: "mine", key: "u1" });
    assert.equal((await once.limits.hit({ limit: "mine", key: "u1" })).remaining, 1);
  });

  test(`what was taken is given back, on ${store}`, async (t) => {
    const once = await client(t, { limits: { mine: { max: 1, windowSeconds: 60 } }, deadlineMs: 5000 }, url());
    const hit = { limit: "mine", key: "u1" };
    await once.limits.hit(hit);
    await once.limits.refund(hit);
    await once.limits.refund(hit);
    await once.limits.hit(hit);
    await assert.rejects(once.limits.hit(hit), { code: "RATE_LIMITED" });
    assert.equal(once.mode, "development");
  });

  test(`several limits are decided together, on ${store}`, async (t) => {
    const limits = { both: { limits: [{ max: 2, windowSeconds: 60 }, { max: 3, windowSeconds: 3600, algorithm: "sliding" }] } };
    const once = await client(t, { limits, deadlineMs: 5000 }, url());
    const both = { limit: "both", ip: "2001:db8::1" };
    await once.limits.hit(both);
    await once.limits.hit({ ...both, ip: "2001:db8::2" });
    await assert.rejects(once.limits.hit(both), { code: "RATE_LIMITED" });
    const left = await once.limits.peek(both);
    assert.equal(left.headers["RateLimit-Policy"], '"both";q=2;w=60, "both-2";q=3;w=3600');
    assert.match(left.headers.RateLimit, /^"both";r=0;t=\d+, "both-2";r=1;t=\d+$/);
  });
}

test("a function behind a limit runs as often as it may", async (t) => {
  const once = await client(t);
  once.limits.define("twice", { max: 2, windowSeconds: 60, algorithm: "bucket" });
  const ran = [];
  const limited = once.limits.limited("twice", (user) => ({ key: user }), async (user) => ran.push(user));
  await limited("a");
  await limited("a");
  await limited("b");
  await assert.rejects(limited("a"), { code: "RATE_LIMITED" });
  assert.deepEqual(ran, ["a", "a", "b"]);
});

test("the client's address comes from trusted proxies only", async (t) => {
  const once = await client(t, { trustedProxies: ["loopback", "10.0.0.0/8"] });
  assert.equal(once.limits.clientIp("127.0.0.1", "6.6.6.6, 203.0.113.9, 10.1.2.3"), "203.0.113.9");
  assert.equal(once.limits.clientIp("198.51.100.7", "6.6.6.6"), "198.51.100.7");
  assert.throws(() => once.limits.clientIp("nowhere"), { code: "INVALID_ARGUMENT" });
});

test("while the store is gone a limit does what its policy says", async (t) => {
  // Nobody listens there; a limit is asked only after the client is open, so the store goes away under it.
  const { createServer } = await import("node:net");
  const { connect } = await import("node:net");
  const redis = new URL(process.env.ONCECODE_TEST_REDIS);
  const sockets = new Set();
  const proxy = createServer((socket) => {
    const there = connect(Number(redis.port), redis.hostname);
    for (const end of [socket, there]) sockets.add(end.on("error", () => {}));
    socket.pipe(there).pipe(socket);
  });
  await new Promise((ready) => proxy.listen(0, "127.0.0.1", ready));
  const rule = (outage) => ({ max: 2, windowSeconds: 60, outage });
  const limits = { open: rule("open"), closed: rule("closed"), local: rule("local") };
  const url = Object.assign(new URL(redis), { port: String(proxy.address().port) });
  const once = await client(t, { limits }, url.href);
  assert.equal((await once.limits.hit({ limit: "local", key: "u" })).degraded, false);
  for (const socket of sockets) socket.destroy();
  await new Promise((closed) => proxy.close(closed));

  for (let i = 0; i < 5; i++) assert.equal((await once.limits.hit({ limit: "open", key: "u" })).degraded, true);
  await assert.rejects(once.limits.hit({ limit: "closed", key: "u" }), { code: "STORE_UNAVAILABLE" });
  assert.equal((await once.limits.hit({ limit: "local", key: "u" })).degraded, true);
  await once.limits.hit({ limit: "local", key: "u" });
  await assert.rejects(once.limits.hit({ limit: "local", key: "u" }), { code: "RATE_LIMITED" });
});

test("what no limit can take is refused", async (t) => {
  const once = await client(t);
  for (const request of [
    { limit: "nobody", key: "u" },
    { limit: "auth" },
    { limit: "auth", key: "" },
    { limit: "auth", key: "x".repeat(1_000_000) },
    { limit: "auth", key: "\uD800" },
    { limit: "auth", key: 7 },
    { limit: "auth", ip: "localhost" },
    { limit: "auth", key: "u", cost: 0 },
    { limit: "auth", key: "u", cost: 11 },
    { limit: "auth", key: "u", cost: 1.5 },
    null,
  ]) {
    await assert.rejects(once.limits.hit(request), { code: "INVALID_ARGUMENT" }, JSON.stringify(request));
  }
  assert.equal((await once.limits.peek({ limit: "auth", key: "u" })).remaining, 10, "nothing was taken");
  for (const definition of [null, {}, { max: 0, windowSeconds: 1 }, { max: 1, windowSeconds: Infinity }, { max: 1, windowSeconds: -1 }, { max: 1, windowSeconds: 1, burst: 1 }]) {
    assert.throws(() => once.limits.define("x", definition), { code: "CONFIG" }, JSON.stringify(definition));
  }
  assert.throws(() => once.limits.define("no spaces", { max: 1, windowSeconds: 1 }), { code: "CONFIG" });
  await assert.rejects(Oncecode.open("memory:", { ...OPTIONS, limits: { a: { max: 1 } } }), { code: "CONFIG" });
  await assert.rejects(Oncecode.open("memory:", { ...OPTIONS, trustedProxies: ["everybody"] }), { code: "CONFIG" });
});

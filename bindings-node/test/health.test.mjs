import assert from "node:assert/strict";
import { execFileSync } from "node:child_process";
import { once as event } from "node:events";
import { test } from "node:test";
import { setTimeout as pause } from "node:timers/promises";
import { STORES, open, phone, refusal } from "./support.mjs";

/** A Redis of the test's own: its URL, and its process to freeze. */
function ownRedis(t) {
  const services = process.env.ONCECODE_TEST_SERVICES;
  const { url, pid } = JSON.parse(execFileSync(services, ["start", "redis"], { encoding: "utf8" }));
  t.after(() => {
    process.kill(pid, "SIGCONT");
    execFileSync(services, ["stop", "--pid", String(pid)]);
  });
  return { url, freeze: () => process.kill(pid, "SIGSTOP"), thaw: () => process.kill(pid, "SIGCONT"), port: new URL(url).port };
}

const OUTAGE = { deadlineMs: 100, breaker: { failures: 3, probeIntervalMs: 200, maxProbeIntervalMs: 200 } };

/** Calls until the breaker is open. */
async function untilOpen(once) {
  for (let call = 0; call < 20; call++) {
    const error = await once.codes.peek({ to: phone(), purpose: "login" }).catch((thrown) => thrown);
    assert.equal(error.code, "STORE_UNAVAILABLE");
    if (error.retryAfterSeconds) return;
  }
  assert.fail("it never opens");
}

/** Calls until one works. */
async function untilBack(once) {
  for (const begin = Date.now(); Date.now() - begin < 5_000; await pause(10)) {
    if ((await once.health()).ok) return;
  }
  assert.fail("it does not come back");
}

for (const [store, url] of Object.entries(STORES)) {
  test(`health says that all is well, on ${store}`, async (t) => {
    const once = await open(t, {}, url());
    const { latencyMs, since, clockSkewMs, ...health } = await once.health();
    const scheme = url().split(":")[0];
    const breaker = store === "memory" ? {} : { breaker: "closed" };
    assert.deepEqual(health, { ok: true, store: scheme, ...breaker, warnings: [] });
    assert.ok(latencyMs >= 0 && latencyMs < 5_000);
    if (store !== "memory") assert.ok(since instanceof Date && Math.abs(since - Date.now()) < 60_000);
    const own = ["memory", "sqlite"].includes(store);
    assert.ok(own ? clockSkewMs === undefined : Math.abs(clockSkewMs) < 5_000);
  });
}

test("a frozen store opens the breaker, which events, errors and health tell, and closes it when it is back", async (t) => {
  const redis = ownRedis(t);
  const events = [];
  const tell = (event) => event.kind.startsWith("STORE_") && events.push(event);
  const once = await open(t, { ...OUTAGE, events: tell }, redis.url);
  redis.freeze();
  await untilOpen(once);
  const down = await once.health();
  assert.deepEqual([down.ok, down.breaker, down.error, down.latencyMs], [false, "open", "STORE_UNAVAILABLE", undefined]);
  assert.equal(down.warnings.length, 1);
  redis.thaw();
  await untilBack(once);
  assert.deepEqual(await once.codes.peek({ to: phone(), purpose: "login" }), null);
  assert.equal((await once.health()).breaker, "closed");
  const told = events.map(({ at, ...event }) => (assert.ok(at instanceof Date), event));
  assert.deepEqual(told, [
    { name: "STORE_DOWN", kind: "STORE_DOWN", store: "redis", reason: "STORE_UNAVAILABLE" },
    { name: "STORE_UP", kind: "STORE_UP", store: "redis" },
  ]);
});

test("an outage is a warning of the process, listener or not", async (t) => {
  const redis = ownRedis(t);
  const once = await open(t, OUTAGE, redis.url);
  redis.freeze();
  const warned = event(process, "warning");
  await untilOpen(once);
  const [warning] = await warned;
  assert.equal(warning.name, "OncecodeWarning");
  assert.equal(warning.message, "STORE_DOWN store=redis reason=STORE_UNAVAILABLE");
  const after = event(process, "warning");
  redis.thaw();
  await untilBack(once);
  assert.equal((await after)[0].message, "STORE_UP store=redis");
});

test("a store that may forget is warned of at the start and in health", async (t) => {
  const redis = ownRedis(t);
  execFileSync("redis-cli", ["-p", redis.port, "config", "set", "maxmemory-policy", "allkeys-lru"]);
  const warned = event(process, "warning");
  const once = await open(t, {}, redis.url);
  const [warning] = await warned;
  assert.match(warning.message, /allkeys-lru/);
  assert.deepEqual((await once.health()).warnings, [warning.message]);
});

test("without a breaker a frozen store is asked every time", async (t) => {
  const redis = ownRedis(t);
  const once = await open(t, { deadlineMs: 50, breaker: false }, redis.url);
  redis.freeze();
  for (let call = 0; call < 8; call++) {
    await assert.rejects(once.codes.peek({ to: phone(), purpose: "login" }), (error) => {
      assert.deepEqual([error.code, error.retryAfterSeconds], ["STORE_UNAVAILABLE", undefined]);
      return true;
    });
  }
  redis.thaw();
  assert.equal((await once.health()).breaker, undefined);
});

test("a closed client has no health", async (t) => {
  const once = await open(t);
  await once.close();
  await assert.rejects(once.health(), refusal("CLOSED"));
});

test("what a breaker can't be is refused", async (t) => {
  for (const breaker of [5, "off", { failures: 0 }, { probeIntervalMs: -1 }, { interval: 5 }]) {
    await assert.rejects(open(t, { breaker }), (error) => error.code === "CONFIG" && error.message.startsWith("breaker"));
  }
});

// What JavaScript adds to `once.locks` and `once.idempotency`: signals, disposal, higher-order functions.

import assert from "node:assert/strict";
import { spawnSync } from "node:child_process";
import { test } from "node:test";
import { OncecodeError } from "oncecode";
import { open, refusal } from "./support.mjs";

/** Waits for it, which by itself would not keep the process alive. */
async function abort(signal) {
  const alive = setInterval(() => {}, 1000);
  await new Promise((lost) => signal.addEventListener("abort", lost, { once: true }));
  clearInterval(alive);
}

const TTL = { name: "orders/7", ttlSeconds: 60 };

test("a lock says what it is, and not its token when it is shown", async (t) => {
  const once = await open(t);
  const lock = await once.locks.acquire(TTL);
  assert.equal(lock.token.length, 22);
  assert.ok(Number.isSafeInteger(lock.fence) && lock.fence > 1_700_000_000_000);
  assert.ok(lock.remainingSeconds > 50 && lock.remainingSeconds <= 60);
  assert.equal(lock.signal.aborted, false);
  await lock.extend({ ttlSeconds: 600 });
  assert.ok(lock.remainingSeconds > 590);
  assert.equal(await lock.release(), true);
  assert.equal(await lock.release(), false);
  assert.equal(lock.remainingSeconds, 0);
  await assert.rejects(lock.extend({ ttlSeconds: 60 }), refusal("LEASE_LOST", { status: 409 }));
});

test("a lost lock aborts its signal, with the reason", async (t) => {
  const once = await open(t);
  const lock = await once.locks.acquire({ ...TTL, ttlSeconds: 0.05 });
  await abort(lock.signal);
  assert.ok(lock.signal.reason instanceof OncecodeError);
  assert.equal(lock.signal.reason.code, "LEASE_LOST");
  const next = await once.locks.tryAcquire(TTL);
  assert.ok(next.fence > lock.fence);
  assert.equal(await lock.release(), false);
});

test("a released lock aborts nothing", async (t) => {
  const once = await open(t);
  const lock = await once.locks.acquire({ ...TTL, ttlSeconds: 0.05 });
  await lock.release();
  const next = await once.locks.acquire({ ...TTL, ttlSeconds: 0.1 });
  await abort(next.signal);
  assert.equal(lock.signal.aborted, false);
});

test("hold runs under the lock, renews it and gives it back, whatever happens", async (t) => {
  const once = await open(t);
  const longer = async (lock) => {
    // Several leases long.
    assert.equal(await once.locks.acquire({ ...TTL, waitSeconds: 0.4 }).catch((e) => e.code), "LOCKED");
    assert.equal(lock.signal.aborted, false);
    return "done";
  };
  assert.equal(await once.locks.hold({ ...TTL, ttlSeconds: 0.15 }, longer), "done");
  await assert.rejects(once.locks.hold(TTL, () => { throw new RangeError("own"); }), RangeError);
  assert.ok(await once.locks.tryAcquire(TTL));
});

test("hold tells of a loss", async (t) => {
  const once = await open(t);
  const slow = (lock) => abort(lock.signal);
  await assert.rejects(once.locks.hold({ ...TTL, ttlSeconds: 0.05, renew: false }, slow), refusal("LEASE_LOST"));
});

test("await using releases", { skip: Symbol.asyncDispose === undefined && "this Node.js has no Symbol.asyncDispose" }, async (t) => {
  const once = await open(t);
  const lock = await once.locks.acquire(TTL);
  await lock[Symbol.asyncDispose]();
  assert.ok(await once.locks.tryAcquire(TTL));
});

test("a held lock does not keep the process alive", () => {
  const script = `
    import { Oncecode } from "oncecode";
    const once = await Oncecode.open("memory:", { mode: "development", sender: "none:" });
    globalThis.lock = await once.locks.acquire({ name: "a", ttlSeconds: 600, renew: true });
    console.log("held");`;
  const options = { input: script, encoding: "utf8", timeout: 20_000, cwd: new URL("..", import.meta.url) };
  const ran = spawnSync(process.execPath, ["--input-type=module"], options);
  assert.deepEqual([ran.status, ran.stdout, ran.stderr], [0, "held\n", ""]);
});

test("what is no lock's argument is refused by name", async (t) => {
  const once = await open(t);
  for (const ttlSeconds of [undefined, null, "60", NaN, -1, {}, 1n]) {
    await assert.rejects(once.locks.acquire({ ...TTL, ttlSeconds }), refusal("INVALID_ARGUMENT", { message: /ttlSeconds/ }));
  }
  for (const renew of [null, 0, "yes"]) {
    await assert.rejects(once.locks.tryAcquire({ ...TTL, renew }), refusal("INVALID_ARGUMENT", { message: /renew/ }));
  }
  for (const name of [undefined, null, 7, "", "\uD83D", "x".repeat(1 << 20)]) {
    await assert.rejects(once.locks.release({ name, token: "x" }), refusal("INVALID_ARGUMENT"));
  }
  await assert.rejects(once.locks.acquire(), refusal("INVALID_ARGUMENT"));
});

test("run works once, and the others have the same reply", async (t) => {
  const once = await open(t);
  let runs = 0;
  const request = { scope: "ann", key: "7", fingerprint: { amount: 1 }, waitSeconds: 20 };
  const work = async (claim) => {
    assert.ok(claim.fence > 0 && !claim.signal.aborted);
    runs += 1;
    return { at: new Date(0), gone: undefined };
  };
  const replies = await Promise.all(Array.from({ length: 20 }, () => once.idempotency.run(request, work)));
  assert.equal(runs, 1);
  for (const { value } of replies) assert.deepEqual(value, { at: "1970-01-01T00:00:00.000Z" });
  assert.equal(replies.filter((reply) => !reply.replayed).length, 1);
});

test("work that throws frees the key, and its error comes through", async (t) => {
  const once = await open(t);
  const request = { scope: "ann", key: "7" };
  await assert.rejects(once.idempotency.run(request, () => { throw new RangeError("own"); }), RangeError);
  assert.deepEqual(await once.idempotency.run(request, () => undefined), { value: null, replayed: false });
  assert.deepEqual(await once.idempotency.run(request, () => 7), { value: null, replayed: true });
});

test("an idempotent function gives the same value again", async (t) => {
  const once = await open(t);
  let runs = 0;
  const options = { scope: (order) => order.user, key: (order) => order.id, fingerprint: (order) => order.amount };
  const charge = once.idempotency.idempotent(options, async (order) => ({ charged: order.amount, run: (runs += 1) }));
  const order = { user: "ann", id: "7", amount: 5 };
  assert.deepEqual(await charge(order), { charged: 5, run: 1 });
  assert.deepEqual(await charge(order), { charged: 5, run: 1 });
  assert.deepEqual(await charge({ ...order, user: "bob" }), { charged: 5, run: 2 });
  await assert.rejects(charge({ ...order, amount: 6 }), refusal("IDEMPOTENCY_MISMATCH", { status: 422 }));
});

test("a lost claim aborts its signal, and its late completion is refused", async (t) => {
  const once = await open(t);
  const request = { scope: "ann", key: "7", leaseSeconds: 0.05, renew: false };
  const dead = await once.idempotency.begin(request);
  await abort(dead.signal);
  assert.equal(dead.signal.reason.code, "LEASE_LOST");
  const next = await once.idempotency.begin({ ...request, waitSeconds: 20 });
  assert.ok(next.fence > dead.fence);
  await assert.rejects(dead.complete(1), refusal("LEASE_LOST"));
  await next.complete(2);
  assert.deepEqual(await once.idempotency.begin(request), { value: 2, replayed: true });
});

test("a reply that JSON can't hold is refused, and the claim is still held", async (t) => {
  const once = await open(t);
  const claim = await once.idempotency.begin({ scope: "ann", key: "7" });
  for (const bad of [1n, () => {}, Symbol("s"), "\uD83D"]) await assert.rejects(claim.complete(bad), refusal("INVALID_ARGUMENT"));
  await claim.complete("good");
});

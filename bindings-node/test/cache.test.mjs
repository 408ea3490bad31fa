// What JavaScript adds to `once.cache` and `once.totp`.

import assert from "node:assert/strict";
import { test } from "node:test";
import { open, refusal } from "./support.mjs";

const KEY = { key: "user/7" };

test("of many that miss one loads, and all have what JSON makes of it", async (t) => {
  const once = await open(t);
  let loads = 0;
  const load = async () => ({ at: new Date(0), load: (loads += 1) });
  const users = await Promise.all(Array.from({ length: 30 }, () => once.cache.getOrLoad(KEY, load)));
  assert.equal(loads, 1);
  for (const user of users) assert.deepEqual(user, { at: "1970-01-01T00:00:00.000Z", load: 1 });
  const entry = await once.cache.get(KEY);
  assert.ok(entry._cachedAt instanceof Date && Math.abs(entry._cachedAt - Date.now()) < 60_000);
  assert.equal(entry._cacheVersion, 1);
});

test("a load that throws passes to the next", async (t) => {
  const once = await open(t);
  await assert.rejects(once.cache.getOrLoad(KEY, () => { throw new RangeError("own"); }), RangeError);
  await assert.rejects(once.cache.getOrLoad(KEY, () => 1n), refusal("INVALID_ARGUMENT"));
  assert.equal(await once.cache.getOrLoad(KEY, () => undefined), null);
  assert.deepEqual((await once.cache.get(KEY)).value, null);
  assert.equal(await once.cache.getOrLoad(KEY, () => assert.fail("it is known that there is none")), null);
});

test("what was loaded before an invalidation is not stored after it", async (t) => {
  const once = await open(t);
  const old = await once.cache.getOrLoad(KEY, async () => {
    await once.cache.invalidate(KEY);
    return "old";
  });
  assert.equal(old, "old");
  assert.equal(await once.cache.get(KEY), null);
});

test("an enrolment is a secret, a URI and a picture, and its code is accepted once", async (t) => {
  const once = await open(t);
  const { secret, uri } = once.totp.enrol({ issuer: "Acme", account: "ann@example.com" });
  assert.match(secret, /^[A-Z2-7]{32}$/);
  assert.equal(uri, `otpauth://totp/Acme:ann%40example.com?secret=${secret}&issuer=Acme`);
  assert.equal(once.totp.uri({ secret, issuer: "Acme", account: "ann@example.com" }), uri);
  assert.match(once.totp.qrSvg({ text: uri }), /^<svg .*<\/svg>$/);
  const png = once.totp.qrPng({ text: uri, scale: 2 });
  assert.deepEqual([...png.subarray(0, 4)], [0x89, 0x50, 0x4e, 0x47]);
  const code = once.totp.code({ secret });
  assert.ok(once.totp.check({ secret, code }) > 50_000_000);
  assert.equal(typeof (await once.totp.verify({ user: "ann", secret, code })).step, "number");
  await assert.rejects(once.totp.verify({ user: "ann", secret, code }), refusal("CODE_NOT_FOUND"));
});

test("a recovery code is accepted once", async (t) => {
  const once = await open(t);
  const { codes, hashes } = once.totp.recoveryCodes({ user: "ann" });
  assert.deepEqual([codes.length, hashes.length, new Set(codes).size], [10, 10, 10]);
  assert.equal(await once.totp.verifyRecovery({ user: "ann", code: codes[2].toLowerCase(), hashes }), hashes[2]);
  await assert.rejects(once.totp.verifyRecovery({ user: "ann", code: codes[2], hashes }), refusal("CODE_NOT_FOUND"));
  await assert.rejects(once.totp.verifyRecovery({ user: "ann", code: codes[3], hashes: [] }), refusal("WRONG_CODE"));
});

test("what is no argument is refused by name", async (t) => {
  const once = await open(t);
  assert.throws(() => once.totp.code({ secret: 7 }), refusal("INVALID_ARGUMENT", { message: /secret/ }));
  assert.throws(() => once.totp.code({ secret: "A".repeat(32), at: "now" }), refusal("INVALID_ARGUMENT", { message: /at/ }));
  assert.throws(() => once.totp.code({ secret: "A".repeat(32), counter: -1 }), refusal("INVALID_ARGUMENT", { message: /counter/ }));
  await assert.rejects(once.totp.verifyRecovery({ user: "ann", code: "x", hashes: "x" }), refusal("INVALID_ARGUMENT", { message: /hashes/ }));
  await assert.rejects(once.cache.get({ key: 7 }), refusal("INVALID_ARGUMENT", { message: /key/ }));
  await assert.rejects(once.cache.set({ ...KEY, value: 1, ttlSeconds: "1" }), refusal("INVALID_ARGUMENT", { message: /ttlSeconds/ }));
  await assert.rejects(once.cache.getOrLoad({ ...KEY, version: -1 }, () => 1), refusal("INVALID_ARGUMENT", { message: /version/ }));
});

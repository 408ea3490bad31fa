import assert from "node:assert/strict";
import { test } from "node:test";
import { Oncecode, OncecodeError } from "oncecode";
import { SECRET, open, phone, refusal } from "./support.mjs";

const MEGABYTE = "9".repeat(1 << 20);
const LONE = "\uD83D";
const NOT_STRINGS = [undefined, null, 0, 15551234567, true, {}, [], ["a"], Symbol("s"), 1n, () => "a", new String("a")];

test("whatever is passed for a string is refused by name, as a rejection", async (t) => {
  const once = await open(t);
  const good = { to: phone(), purpose: "login", code: "012345" };
  const uses = { issue: ["to", "purpose"], verify: ["purpose", "code"], resend: ["purpose"], cancel: ["purpose"], peek: ["purpose"] };
  for (const [method, fields] of Object.entries(uses)) {
    for (const field of fields) {
      for (const bad of NOT_STRINGS) {
        await refused(once.codes[method]({ ...good, [field]: bad }), new RegExp(`^${field} must be a string`));
      }
      await refused(once.codes[method]({ ...good, [field]: `a${LONE}b` }), new RegExp(`^${field} .*lone surrogate`));
    }
  }
});

test("optional fields may be undefined and nothing else but a string", async (t) => {
  const once = await open(t);
  const good = { to: phone(), purpose: "login", code: "012345" };
  for (const [method, field] of [["issue", "ip"], ["issue", "locale"], ["verify", "ip"], ["verify", "id"], ["resend", "locale"], ["peek", "id"]]) {
    for (const bad of NOT_STRINGS.slice(1)) {
      await refused(once.codes[method]({ ...good, [field]: bad }), new RegExp(`^${field} must be a string`));
    }
  }
});

test("an argument that is no object, or none at all, is refused", async (t) => {
  const once = await open(t);
  for (const method of ["issue", "verify", "resend", "cancel", "peek"]) {
    for (const bad of [undefined, null, 5, "text", [], () => {}]) await refused(once.codes[method](bad), /missing|must be a string/);
    await refused(once.codes[method](), /missing/);
  }
  await refused(once.codes.peek({ purpose: "login" }), /`to` or `id`/);
});

test("a getter or proxy that throws is refused by field, with what it threw as the cause", async (t) => {
  const once = await open(t);
  const thrown = new Error("from the getter");
  const request = { purpose: "login", get to() { throw thrown; } };
  await assert.rejects(once.codes.issue(request), { code: "INVALID_ARGUMENT", message: "to can't be read", cause: thrown });
  const proxy = new Proxy({}, { get() { throw thrown; } });
  await assert.rejects(once.codes.verify(proxy), { code: "INVALID_ARGUMENT", cause: thrown });
});

test("data that JSON can't hold is refused, and nothing is issued", async (t) => {
  const once = await open(t);
  const to = phone();
  const cycle = {};
  cycle.self = cycle;
  let deep = [];
  for (let i = 0; i < 500; i++) deep = [deep];
  const thrower = { toJSON() { throw new Error("no"); } };
  for (const data of [cycle, 1n, () => {}, Symbol("s"), thrower, deep, LONE, { [LONE]: 1 }, { text: "x".repeat(9_000) }, MEGABYTE]) {
    await refused(once.codes.issue({ to, purpose: "login", data }), /data/);
  }
  assert.equal(await once.codes.peek({ to, purpose: "login" }), null);
  assert.ok(await once.codes.issue({ to, purpose: "login", data: ["🙂", "\0", 1e21, -0.5] }));
});

test("addresses, codes and purposes of every strange kind get a typed error", async (t) => {
  const once = await open(t);
  for (const to of ["", " ", "\0", "🙂", "+1", "++1555", MEGABYTE, "+1555123456\0", "'; DROP TABLE--"]) {
    await assert.rejects(once.codes.issue({ to, purpose: "login" }), refusal("INVALID_PHONE", { status: 400 }));
  }
  for (const to of ["@", "a@", "a b@c.de", `${MEGABYTE}@example.com`, "a\0@b.co", "🙂@"]) {
    await assert.rejects(once.codes.issue({ to, purpose: "login" }), refusal("INVALID_EMAIL", { status: 400 }));
  }
  const to = phone();
  for (const purpose of ["", " ", "a b", "\0", "🙂", "é", MEGABYTE]) await refused(once.codes.issue({ to, purpose }), /purpose/);
  for (const ip of ["", "localhost", "1.2.3", "\0", MEGABYTE]) await refused(once.codes.issue({ to, purpose: "login", ip }), /ip/);
  for (const code of ["", "12345", "1234567", "12345a", "12345\0", "🙂🙂🙂🙂🙂🙂", MEGABYTE]) {
    await assert.rejects(once.codes.verify({ to, purpose: "login", code }), refusal("INVALID_CODE", { status: 400 }));
  }
  for (const id of ["", "x", "🙂", "\0", MEGABYTE]) {
    await assert.rejects(once.codes.verify({ id, purpose: "login", code: "012345" }), refusal("CODE_NOT_FOUND"));
  }
});

test("a purge limit is a whole number", async (t) => {
  const once = await open(t);
  for (const limit of [-1, 0.5, NaN, Infinity, 2 ** 32, "10", null, 1n]) await refused(once.purge(limit), /^limit must be/);
});

test("options that cannot work are CONFIG and say what to change", async () => {
  const loop = {};
  loop.policy = loop;
  const bad = [
    [{}, /secret is required/],
    [{ mode: "production", secret: "short" }, /32 bytes/],
    [{ secret: "" }, /empty/],
    [{ secret: 5 }, /secret must be/],
    [{ secret: () => SECRET }, /^secret can't be/],
    [{ secret: [SECRET, LONE] }, /lone surrogate/],
    [{ secret: SECRET, sender: undefined }, /sender/],
    [{ secret: SECRET, sender: "console:" }, /production/],
    [{ secret: SECRET, sender: 5 }, /sender|string/],
    [{ mode: "testing" }, /testing/],
    [{ mode: "development", secrets: SECRET }, /secrets/],
    [{ mode: "development", events: "log" }, /events must be a function/],
    [{ mode: "development", deadlineMs: NaN }, /deadlineMs must be a finite number/],
    [{ mode: "development", deadlineMs: -1 }, /deadlineMs/],
    [{ mode: "development", deadlineMs: 1n }, /deadlineMs can't be/],
    [{ mode: "development", policy: { ttlSeconds: -1 } }, /ttlSeconds/],
    [{ mode: "development", policy: { ttlSeconds: 1e300 } }, /ttlSeconds/],
    [{ mode: "development", policy: { codeLength: 3 } }, /codeLength/],
    [{ mode: "development", policy: { maxAttempts: 0 } }, /maxAttempts/],
    [{ mode: "development", policy: { issueLimit: { max: 3 } } }, /limit/],
    [{ mode: "development", policy: { issueLimit: { max: Infinity, windowSeconds: 1 } } }, /max must be a finite number/],
    [{ mode: "development", purposes: { login: { unknown: 1 } } }, /unknown/],
    [{ mode: "development", defaultRegion: "XX" }, /defaultRegion/],
    [{ mode: "development", maxConnections: 0 }, /maxConnections/],
    [{ mode: "development", tablePrefix: "Drop \"" }, /tablePrefix/],
    [{ get mode() { throw new Error(SECRET); } }, /getters/],
    [loop, /cycles/],
    [null, /options must be an object/],
    [[], /options must be an object/],
    ["memory:", /options must be an object/],
  ];
  for (const [options, message] of bad) {
    await assert.rejects(Oncecode.open("memory:", options), (error) => {
      assert.ok(error instanceof OncecodeError);
      assert.equal(error.code, "CONFIG", error.message);
      assert.match(error.message, message);
      assert.ok(!`${error.stack}`.includes(SECRET));
      return true;
    });
  }
});

test("a URL that is none is CONFIG and is not repeated", async () => {
  const bad = ["", " ", "memory", "nosuch://user:hunter2@host", "redis://", "redis://user:hunter2@:x", "postgres://hunter2", "\0", "🙂", MEGABYTE, LONE];
  for (const url of [...bad, undefined, null, 5, {}, [], 1n, Symbol("s")]) {
    await assert.rejects(Oncecode.open(url, { mode: "development", deadlineMs: 100 }), (error) => {
      assert.ok(error instanceof OncecodeError, String(error));
      assert.ok(["CONFIG", "STORE_UNAVAILABLE"].includes(error.code), error.code);
      assert.ok(!error.message.includes("hunter2") && error.message.length < 300);
      return true;
    });
  }
});

test("fromEnv takes functions only", async () => {
  await assert.rejects(Oncecode.fromEnv({ mode: "development" }), refusal("CONFIG"));
  await assert.rejects(Oncecode.fromEnv({ sender: "none:" }), refusal("CONFIG"));
  await assert.rejects(Oncecode.fromEnv({ events: 5 }), refusal("CONFIG"));
});

test("an Oncecode is opened, not constructed", () => {
  assert.throws(() => new Oncecode(), TypeError);
});

async function refused(promise, message) {
  assert.ok(promise instanceof Promise);
  await assert.rejects(promise, (error) => {
    assert.ok(error instanceof OncecodeError, String(error));
    assert.deepEqual([error.code, error.status, error.retryable], ["INVALID_ARGUMENT", 400, false], error.message);
    assert.match(error.message, message);
    assert.ok(error.message.length < 300);
    return true;
  });
}

import assert from "node:assert/strict";
import { test } from "node:test";
import { Oncecode } from "oncecode";
import { STORES, open, other, phone, refusal } from "./support.mjs";

for (const [store, url] of Object.entries(STORES)) {
  test(`a code is issued, refused when wrong and accepted once, on ${store}`, async (t) => {
    const once = await open(t, {}, url());
    const to = phone();
    const sent = await once.codes.issue({ to, purpose: "login", ip: "192.0.2.1", data: { cart: [1, "é", null] } });
    assert.match(sent.code, /^\d{6}$/);
    assert.equal(sent.attemptsLeft, 5);
    assert.ok(Math.abs(sent.expiresAt - Date.now() - 600_000) < 5_000);
    assert.ok(Math.abs(sent.resendAt - Date.now() - 60_000) < 5_000);

    const wrong = refusal("WRONG_CODE", { status: 401, retryable: false, attemptsLeft: 4 });
    await assert.rejects(once.codes.verify({ to, purpose: "login", code: other(sent.code) }), wrong);
    const verified = await once.codes.verify({ to, id: sent.id, purpose: "login", code: sent.code });
    assert.deepEqual(verified, { identifier: to, purpose: "login", data: { cart: [1, "é", null] } });
    await assert.rejects(once.codes.verify({ to, purpose: "login", code: sent.code }), refusal("CODE_NOT_FOUND"));
  });

  test(`of 100 concurrent right codes exactly one wins, on ${store}`, async (t) => {
    const policy = { maxAttempts: 100, verifyLimit: false, failureBudget: false };
    const once = await open(t, { policy }, url());
    const to = phone();
    const { code } = await once.codes.issue({ to, purpose: "login" });
    const tries = Array.from({ length: 100 }, () => once.codes.verify({ to, purpose: "login", code }));
    const outcomes = await Promise.allSettled(tries);
    assert.equal(outcomes.filter((o) => o.status === "fulfilled").length, 1);
    const reasons = new Set(outcomes.filter((o) => o.status === "rejected").map((o) => o.reason.code));
    assert.deepEqual([...reasons], ["CODE_NOT_FOUND"]);
  });

  test(`a second issue within the cooldown says when to come back, on ${store}`, async (t) => {
    const once = await open(t, {}, url());
    const to = phone();
    await once.codes.issue({ to, purpose: "login" });
    await assert.rejects(once.codes.issue({ to, purpose: "login" }), (error) => {
      assert.equal(error.code, "COOLDOWN");
      assert.ok(Number.isInteger(error.retryAfterSeconds) && error.retryAfterSeconds > 0 && error.retryAfterSeconds <= 60);
      return error.status === 429 && error.retryable;
    });
  });

  test(`resend, peek, cancel and purge work, on ${store}`, async (t) => {
    const once = await open(t, { policy: { cooldownSeconds: 0 } }, url());
    const to = phone();
    assert.equal(await once.codes.peek({ to, purpose: "login" }), null);
    const first = await once.codes.issue({ to, purpose: "login", data: "kept" });
    const second = await once.codes.resend({ id: first.id, purpose: "login" });
    await assert.rejects(once.codes.verify({ id: first.id, purpose: "login", code: first.code }), refusal("CODE_NOT_FOUND"));

    const live = await once.codes.peek({ to, purpose: "login" });
    assert.deepEqual(Object.keys(live), ["id", "expiresAt", "resendAt", "attemptsLeft"]);
    assert.equal(live.id, second.id);

    assert.equal(await once.codes.cancel({ id: second.id, purpose: "login" }), true);
    assert.equal(await once.codes.cancel({ to, purpose: "login" }), false);
    assert.equal(typeof (await once.purge(10)), "number");
  });
}

test("verified data is absent where none was given, and null where null was", async (t) => {
  const once = await open(t);
  for (const [given, back] of [[{}, {}], [{ data: null }, { data: null }], [{ data: undefined }, {}]]) {
    const to = phone();
    const { code } = await once.codes.issue({ to, purpose: "login", ...given });
    assert.deepEqual(await once.codes.verify({ to, purpose: "login", code }), { identifier: to, purpose: "login", ...back });
  }
});

test("production mode never returns the code", async (t) => {
  const { SECRET } = await import("./support.mjs");
  let message;
  const once = await open(t, { mode: "production", secret: SECRET, sender: (m) => void (message = m) });
  const to = phone();
  const sent = await once.codes.issue({ to, purpose: "login" });
  assert.equal("code" in sent, false);
  assert.equal((await once.codes.verify({ to, purpose: "login", code: message.code })).identifier, to);
});

test("many calls at once all come back, each with its own answer", async (t) => {
  const once = await open(t, {}, STORES.redis());
  const numbers = Array.from({ length: 2_000 }, phone);
  const answers = await Promise.all(
    numbers.map(async (to) => {
      const { code } = await once.codes.issue({ to, purpose: "login" });
      return (await once.codes.verify({ to, purpose: "login", code })).identifier;
    }),
  );
  assert.deepEqual(answers, numbers);
});

test("a closed client refuses every call, and closing twice is fine", async (t) => {
  const once = await open(t);
  await once.close();
  await once.close();
  const [to, purpose, code] = [phone(), "login", "012345"];
  const closed = refusal("CLOSED", { retryable: false });
  await assert.rejects(once.codes.issue({ to, purpose }), closed);
  await assert.rejects(once.codes.verify({ to, purpose, code }), closed);
  await assert.rejects(once.codes.resend({ to, purpose }), closed);
  await assert.rejects(once.codes.cancel({ to, purpose }), closed);
  await assert.rejects(once.codes.peek({ to, purpose }), closed);
  await assert.rejects(once.purge(), closed);
});

test("a server that is absent is STORE_UNAVAILABLE, with its cause", async () => {
  const options = { mode: "development", deadlineMs: 2_000 };
  for (const url of ["redis://127.0.0.1:1", "postgres://nobody@127.0.0.1:1/none"]) {
    await assert.rejects(Oncecode.open(url, options), (error) => {
      assert.deepEqual([error.code, error.status, error.retryable], ["STORE_UNAVAILABLE", 503, true]);
      return true;
    });
  }
});

test("`await using` closes where the runtime knows it", { skip: Symbol.asyncDispose === undefined }, async (t) => {
  const once = await open(t);
  await once[Symbol.asyncDispose]();
  await assert.rejects(once.purge(), refusal("CLOSED"));
});

test("a fixed test code is not sent, works once, and is refused in production", async (t) => {
  const to = phone();
  const until = new Date(Date.now() + 30 * 86_400_000).toISOString();
  const sent = [];
  const testCodes = { codes: { [to]: "012345" }, until };
  const once = await open(t, { testCodes, sender: (message) => void sent.push(message) }, "memory:");
  await once.codes.issue({ to, purpose: "login" });
  assert.equal(sent.length, 0);
  await once.codes.verify({ to, purpose: "login", code: "012345" });
  await assert.rejects(once.codes.verify({ to, purpose: "login", code: "012345" }), refusal("CODE_NOT_FOUND"));

  const production = { mode: "production", secret: "s".repeat(32), sender: () => {}, testCodes };
  await assert.rejects(Oncecode.open("memory:", production), refusal("CONFIG", { message: /allowInProduction/ }));
  const named = await Oncecode.open("memory:", { ...production, testCodes: { ...testCodes, allowInProduction: [to] } });
  await named.close();
});

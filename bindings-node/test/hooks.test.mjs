import assert from "node:assert/strict";
import { AsyncLocalStorage } from "node:async_hooks";
import { EventEmitter, once as event } from "node:events";
import { test } from "node:test";
import { SECRET, STORES, open, other, phone, refusal } from "./support.mjs";

const thrown = new TypeError("the gateway is closed");

test("a sender gets the message, and the code in it works", async (t) => {
  const messages = [];
  const once = await open(t, { sender: (message) => void messages.push(message), appName: "Acme" });
  const to = phone();
  const sent = await once.codes.issue({ to: ` ${to.slice(0, 3)} ${to.slice(3)}`, purpose: "login", locale: "de-AT" });
  const [{ text, ...rest }] = messages;
  const words = { subject: "Ihr Acme-Code", segments: 1 };
  const expected = { to, purpose: "login", code: sent.code, id: sent.id, locale: "de-AT", expiresInSeconds: 600, ...words };
  assert.deepEqual(rest, expected);
  assert.ok(text.includes(sent.code) && text.includes("Acme"));
});

for (const [how, sender] of [
  ["throws", () => { throw thrown; }],
  ["rejects", async () => { throw thrown; }],
]) {
  for (const store of ["memory", "redis"]) {
    test(`a sender that ${how} fails the delivery with its error as the cause and gives the cooldown back, on ${store}`, async (t) => {
      let fails = true;
      const once = await open(t, { sender: (message) => (fails ? sender(message) : undefined) }, STORES[store]());
      const to = phone();
      const failed = refusal("DELIVERY_FAILED", { status: 502, retryable: true, cause: thrown });
      for (let i = 0; i < 5; i++) await assert.rejects(once.codes.issue({ to, purpose: "login" }), failed);
      fails = false;
      assert.equal((await once.codes.issue({ to, purpose: "login" })).attemptsLeft, 5);
    });
  }
}

test("whatever a sender throws is the cause, undefined too", async (t) => {
  for (const odd of [undefined, null, "text", 5]) {
    const once = await open(t, { sender: () => Promise.reject(odd) });
    await assert.rejects(once.codes.issue({ to: phone(), purpose: "login" }), (error) => "cause" in error && error.cause === odd);
  }
});

test("a sender that takes too long fails the delivery at the deadline, and its late end is ignored", async (t) => {
  let finish;
  const slow = new Promise((_, reject) => (finish = () => reject(thrown)));
  const once = await open(t, { sender: () => slow, sendDeadlineMs: 20 });
  await assert.rejects(once.codes.issue({ to: phone(), purpose: "login" }), (error) => {
    assert.deepEqual([error.code, error.cause], ["DELIVERY_FAILED", undefined]);
    return true;
  });
  finish();
  await assert.rejects(slow);
});

test("a sender may use the client that it sends for", async (t) => {
  const to = phone();
  const once = await open(t, { sender: async () => assert.ok(await once.codes.peek({ to, purpose: "login" })) });
  assert.ok(await once.codes.issue({ to, purpose: "login" }));
});

test("sender and events run in the async context of the call", async (t) => {
  const requests = new AsyncLocalStorage();
  const seen = [];
  const note = () => void seen.push(requests.getStore());
  const once = await open(t, { sender: note, events: note });
  const issue = () => once.codes.issue({ to: phone(), purpose: "login" });
  await Promise.all(["a", "b"].map((id) => requests.run(id, issue)));
  assert.deepEqual(seen.sort(), ["a", "a", "b", "b"]);
});

test("events tell what happened, masked, before the call that caused them ends", async (t) => {
  for (const url of [STORES.memory(), STORES.redis()]) {
    const events = [];
    const once = await open(t, { events: (event) => void events.push(event) }, url);
    const to = phone();
    const { code } = await once.codes.issue({ to, purpose: "sign-up" });
    await assert.rejects(once.codes.verify({ to, purpose: "sign-up", code: other(code) }));
    await once.codes.verify({ to, purpose: "sign-up", code });
    await once.codes.issue({ to, purpose: "sign-up" });
    await once.codes.cancel({ to, purpose: "sign-up" });
    assert.deepEqual(events.map((e) => e.name), [
      "SIGN_UP_OTP_CREATED",
      "SIGN_UP_OTP_VERIFICATION_FAILED",
      "SIGN_UP_OTP_VERIFIED",
      "SIGN_UP_OTP_CREATED",
      "SIGN_UP_OTP_CANCELLED",
    ]);
    const { at, identifier, ...failed } = events[1];
    assert.deepEqual(failed, { name: "SIGN_UP_OTP_VERIFICATION_FAILED", kind: "VERIFICATION_FAILED", purpose: "sign-up", reason: "WRONG_CODE", attemptsLeft: 4 });
    assert.ok(at instanceof Date && Math.abs(at - Date.now()) < 60_000);
    assert.match(identifier, /^\+91\*+\d{4}$/);
    assert.ok(!JSON.stringify(events).includes(code));
  }
});

test("events that throw or reject harm nobody and are reported as warnings", async (t) => {
  for (const events of [() => { throw thrown; }, async () => { throw thrown; }]) {
    const once = await open(t, { events });
    const warned = event(process, "warning");
    assert.ok(await once.codes.issue({ to: phone(), purpose: "login" }));
    const [warning] = await warned;
    assert.equal(warning.name, "OncecodeWarning");
    assert.match(warning.detail, /the gateway is closed/);
  }
});

test("a policy weaker than the standards is a warning of the process", async (t) => {
  const warned = event(process, "warning");
  await open(t, { secret: SECRET, policy: { ttlSeconds: 3_600 } });
  const [warning] = await warned;
  assert.equal(warning.name, "OncecodeWarning");
  assert.match(warning.message, /NIST/);
});

test("in the background nobody waits for the sender, and close does", async (t) => {
  const context = new AsyncLocalStorage();
  let release;
  const gate = new Promise((resolve) => (release = resolve));
  const sent = [];
  const sender = async ({ to }) => {
    await gate;
    sent.push([to, context.getStore()]);
  };
  const events = [];
  const once = await open(t, { sender, events: (event) => events.push(event.name), sendInBackground: { concurrency: 2 } });
  const all = [phone(), phone(), phone()];
  const issues = all.map((to, at) => context.run(`request ${at}`, () => once.codes.issue({ to, purpose: "login" })));
  const issued = await Promise.all(issues);
  assert.deepEqual(sent, []);
  await once.codes.verify({ to: all[0], purpose: "login", code: issued[0].code });
  release();
  await once.close();
  assert.deepEqual(
    sent.sort(),
    all.map((to, at) => [to, `request ${at}`]),
  );
  assert.deepEqual(events.sort(), ["LOGIN_OTP_CREATED", "LOGIN_OTP_CREATED", "LOGIN_OTP_CREATED", "LOGIN_OTP_VERIFIED"]);
});

test("a sender that fails in the background is warned of, and everything is given back", async (t) => {
  const warned = event(process, "warning");
  const events = [];
  const told = new EventEmitter();
  const once = await open(t, {
    sender: () => Promise.reject(new Error("the gateway is down")),
    sendInBackground: true,
    events: (event) => {
      events.push([event.name, event.reason]);
      told.emit("event");
    },
  });
  const to = phone();
  for (let round = 0; round < 4; round++) {
    const next = event(told, "event");
    await once.codes.issue({ to, purpose: "login" });
    await next;
    assert.deepEqual(events.pop(), ["LOGIN_OTP_DELIVERY_FAILED", "DELIVERY_FAILED"]);
    assert.equal(await once.codes.peek({ to, purpose: "login" }), null);
  }
  assert.match((await warned)[0].message, /the function `sender` threw/);
});

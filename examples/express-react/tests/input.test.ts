// What cannot be read is refused, counts for nothing, and breaks nothing.

import assert from "node:assert/strict";
import { test } from "node:test";
import { serve } from "./support.ts";

const REQUEST = "/api/auth/otp/request";
const VERIFY = "/api/auth/otp/verify";
const RESEND = "/api/auth/otp/resend";
const JSON_TYPE = { "content-type": "application/json" };
const phoneNumber = "9876543210";

const BODIES: [string, unknown][] = [
  ["an empty object", {}],
  ["a number for a phone number", { phoneNumber: 9876543210 }],
  ["an array for a phone number", { phoneNumber: [phoneNumber] }],
  ["an object for a phone number", { phoneNumber: { $ne: null } }],
  ["null for a phone number", { phoneNumber: null }],
  ["an array", [{ phoneNumber }]],
  ["a string", phoneNumber],
  ["null", null],
  ["a field that nobody knows", { phoneNumber, isAdmin: true }],
  ["a field of every object", JSON.parse(`{"phoneNumber":"${phoneNumber}","__proto__":{"isAdmin":true}}`)],
  ["two addresses", { phoneNumber, email: "ann@example.com" }],
  ["too few digits", { phoneNumber: "98765" }],
  ["no number of India", { phoneNumber: "0000000000" }],
  ["words", { phoneNumber: "call me" }],
  ["markup", { phoneNumber: "<script>alert(1)</script>" }],
];

const CODES: [string, unknown][] = [
  ["no code", { phoneNumber }],
  ["five digits", { phoneNumber, otp: "12345" }],
  ["letters", { phoneNumber, otp: "abcdef" }],
  ["a number", { phoneNumber, otp: 123456 }],
  ["an array", { phoneNumber, otp: ["123456"] }],
  ["a field that nobody knows", { phoneNumber, otp: "123456", isAdmin: true }],
];

test("bad bodies are refused in the same form, and count for nothing", async (t) => {
  const { post, ask } = await serve(t);
  for (const path of [REQUEST, RESEND]) {
    for (const [what, body] of BODIES) {
      const answer = await post(path, body);
      assert.deepEqual([answer.status, answer.body.success, typeof answer.body.message], [400, false, "string"], `${path}: ${what}`);
      assert.match(answer.body.code, /^INVALID_(ARGUMENT|PHONE)$/, `${path}: ${what}`);
    }
  }
  for (const [path, init, status] of [
    [REQUEST, { method: "POST" }, 400],
    [REQUEST, { method: "POST", headers: JSON_TYPE, body: `{"phoneNumber": "98765` }, 400],
    [REQUEST, { method: "POST", headers: JSON_TYPE, body: JSON.stringify({ phoneNumber: "1".repeat(10_000_000) }) }, 413],
    [REQUEST, { method: "POST", body: new URLSearchParams({ phoneNumber }) }, 415],
    [REQUEST, { method: "POST", headers: { "content-type": "text/plain" }, body: JSON.stringify({ phoneNumber }) }, 415],
  ] as const) {
    const answer = await ask(path, init);
    assert.deepEqual([answer.status, answer.body.success, answer.body.code], [status, false, "INVALID_ARGUMENT"]);
  }
  assert.equal((await ask(REQUEST)).status, 404);
  assert.equal((await post(REQUEST, { phoneNumber })).status, 200);
});

test("bad codes are refused, and spend no attempt", async (t) => {
  const { post } = await serve(t);
  const { body } = await post(REQUEST, { phoneNumber });
  for (const [what, said] of CODES) {
    const answer = await post(VERIFY, said);
    assert.deepEqual([answer.status, answer.body.success], [400, false], what);
  }
  const { attemptsLeft } = (await post(VERIFY, { phoneNumber, otp: body.otp === "000000" ? "000001" : "000000" })).body;
  assert.equal(attemptsLeft, 4);
  // As people paste it.
  assert.equal((await post(VERIFY, { phoneNumber, otp: `${body.otp.slice(0, 3)} ${body.otp.slice(3)}` })).status, 200);
});

// What is refused because it was too often.

import assert from "node:assert/strict";
import { test } from "node:test";
import { logIn, other, PRODUCTION, serve } from "./support.ts";

const AUTH = "/api/auth";
const request = `${AUTH}/otp/request`;

test("the next code has to wait a minute", async (t) => {
  const { post } = await serve(t);
  await post(request, { phoneNumber: "9876543210" });
  for (const path of [request, `${AUTH}/otp/resend`]) {
    const { status, headers, body } = await post(path, { phoneNumber: "+919876543210" });
    assert.deepEqual([status, body.success, body.code], [429, false, "COOLDOWN"]);
    assert.ok(body.retryAfter > 50 && body.retryAfter <= 60);
    assert.equal(headers.get("retry-after"), String(body.retryAfter));
  }
});

test("a number gets three codes in a quarter of an hour", async (t) => {
  const { post } = await serve(t, { RESEND_SECONDS: "0" });
  for (let time = 0; time < 3; time += 1) assert.equal((await post(request, { phoneNumber: "9876543210" })).status, 200);
  const { status, headers, body } = await post(request, { phoneNumber: "9876543210" });
  assert.deepEqual([status, body.code], [429, "RATE_LIMITED"]);
  assert.ok(body.retryAfter > 800 && body.retryAfter <= 900);
  assert.equal(headers.get("retry-after"), String(body.retryAfter));
  assert.equal((await post(request, { phoneNumber: "9876543211" })).status, 200);
});

test("five wrong codes are compared, and none more", async (t) => {
  const { post } = await serve(t);
  const { body } = await post(request, { phoneNumber: "9876543210" });
  const left = [];
  for (let time = 0; time < 5; time += 1) {
    left.push((await post(`${AUTH}/otp/verify`, { phoneNumber: "9876543210", otp: other(body.otp) })).body.attemptsLeft);
  }
  assert.deepEqual(left, [4, 3, 2, 1, 0]);
  const right = await post(`${AUTH}/otp/verify`, { phoneNumber: "9876543210", otp: body.otp });
  assert.deepEqual([right.status, right.body.code], [429, "TOO_MANY_ATTEMPTS"]);
});

test("of many who send the right code at once, one is let in", async (t) => {
  const { post } = await serve(t);
  const { body } = await post(request, { phoneNumber: "9876543210" });
  const all = await Promise.all(Array.from({ length: 20 }, () => post(`${AUTH}/otp/verify`, { phoneNumber: "9876543210", otp: body.otp })));
  assert.deepEqual(all.filter(({ status }) => status === 200).length, 1);
});

test("the vault says how much of its limit is left", async (t) => {
  const app = await serve(t);
  const { cookie } = await logIn(app);
  const { headers } = await app.ask("/api/vault", { headers: { cookie } });
  assert.match(headers.get("ratelimit-policy")!, /q=300;w=60/);
  assert.match(headers.get("ratelimit")!, /r=299;t=\d+/);
  assert.equal(headers.get("retry-after"), null);
});

test("an address that a client writes itself is not believed, one of a trusted proxy is", async (t) => {
  const statuses = async (env: Record<string, string>) => {
    const { post } = await serve(t, env);
    const asked = [];
    for (let caller = 0; caller < 31; caller += 1) {
      const phoneNumber = `98765432${String(caller).padStart(2, "0")}`;
      asked.push((await post(request, { phoneNumber }, { "x-forwarded-for": `203.0.113.${caller}` })).status);
    }
    return asked;
  };
  assert.equal((await statuses({})).at(-1), 429);
  assert.equal((await statuses({ TRUSTED_PROXIES: "127.0.0.1" })).at(-1), 200);
});

test("numbers with a user and without one are answered alike", async (t) => {
  const app = await serve(t, PRODUCTION);
  await app.users.findOrCreate("+919876543210");
  const answers = [];
  for (const phoneNumber of ["9876543210", "9876543211"]) {
    const sent = await app.post(request, { phoneNumber });
    const { id, ...rest } = sent.body;
    const otp = other(app.inbox.messages[0]!.code!);
    const wrong = await app.post(`${AUTH}/otp/verify`, { phoneNumber, otp });
    answers.push([sent.status, rest, wrong.status, wrong.body, [...sent.headers.keys()], [...wrong.headers.keys()]]);
  }
  assert.deepEqual(answers[0], answers[1]);
});

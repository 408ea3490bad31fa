import assert from "node:assert/strict";
import { createHmac } from "node:crypto";
import { createServer } from "node:http";
import { test } from "node:test";
import { Oncecode } from "oncecode";
import { phone } from "./support.mjs";

/** A provider's server on a free port: keeps what it is asked, answers as told. */
async function gateway(t, answer = () => [201, '{"sid":"SM1","status":"queued"}']) {
  const asked = [];
  const server = createServer(async (request, response) => {
    let body = "";
    for await (const part of request) body += part;
    asked.push({ method: request.method, path: request.url, headers: request.headers, body });
    const [status, text, headers] = answer(asked.length);
    response.writeHead(status, { connection: "close", ...headers }).end(text);
  });
  await new Promise((listening) => server.listen(0, "127.0.0.1", listening));
  t.after(() => new Promise((closed) => server.close(closed)));
  return { url: `http://127.0.0.1:${server.address().port}`, asked };
}

async function refused(code, promise) {
  const error = await promise.then(() => undefined, (thrown) => thrown);
  assert.equal(error?.code, code);
  return error;
}

async function client(t, options) {
  const once = await Oncecode.open("memory:", { mode: "development", ...options });
  t.after(() => once.close());
  return once;
}

const twilio = (url) => `twilio://AC1:12345@?from=+15551234567&base=${encodeURIComponent(url)}`;

test("a provider by its URL is asked as its API wants", async (t) => {
  const { url, asked } = await gateway(t);
  const once = await client(t, { sender: twilio(url), appName: "Acme" });
  const to = phone();
  const { code } = await once.codes.issue({ to, purpose: "login" });
  assert.equal(asked.length, 1);
  assert.equal(asked[0].path, "/2010-04-01/Accounts/AC1/Messages.json");
  const fields = new URLSearchParams(asked[0].body);
  assert.equal(fields.get("To"), to);
  assert.ok(fields.get("Body").includes(code));
});

for (const [provider, url, success, path] of [
  ["sendgrid", (base) => `sendgrid://SG.t@?from=a@acme.example&base=${base}`, [202, ""], "/v3/mail/send"],
  ["msg91", (base) => `msg91://k@?template=T1&base=${base}`, [200, '{"type":"success","message":"1"}'], "/api/v5/flow/"],
]) {
  test(`${provider} is asked by its URL, and its refusal is typed and costs nothing`, async (t) => {
    let answer = success;
    const { url: base, asked } = await gateway(t, () => answer);
    const once = await client(t, { sender: url(encodeURIComponent(base)), breaker: false });
    const to = provider === "sendgrid" ? `${crypto.randomUUID()}@example.com` : phone();
    answer = [401, '{"type":"error","message":"401"}'];
    await refused("CONFIG", once.codes.issue({ to, purpose: "login" }));
    assert.equal(await once.codes.peek({ to, purpose: "login" }), null);
    answer = success;
    const { code } = await once.codes.issue({ to, purpose: "login" });
    assert.deepEqual(asked.map((one) => one.path), [path, path]);
    assert.ok(asked[1].body.includes(code));
  });
}

test("a webhook by its template gets what it names", async (t) => {
  const { url, asked } = await gateway(t, () => [200, "ok"]);
  const webhook = { url: `${url}/send`, headers: { authorization: "Bearer k" }, body: '{"n":"{digits}","c":"{code}"}' };
  const once = await client(t, { sender: webhook });
  const to = phone();
  const { code } = await once.codes.issue({ to, purpose: "login" });
  assert.deepEqual(JSON.parse(asked[0].body), { n: to.slice(1), c: code });
  assert.equal(asked[0].headers.authorization, "Bearer k");
});

test("of a list the first that serves an address sends, and the next where it surely did not", async (t) => {
  const { url, asked } = await gateway(t);
  const got = [];
  const nothingSent = () => {
    got.push("first");
    throw Object.assign(new Error("no credit"), { notSent: true });
  };
  const once = await client(t, { sender: [nothingSent, twilio(url), ({ to }) => void got.push(to)] });
  const { code } = await once.codes.issue({ to: phone(), purpose: "login" });
  assert.deepEqual([got, asked.length], [["first"], 1]);
  assert.ok(new URLSearchParams(asked[0].body).get("Body").includes(code));
  await once.codes.issue({ to: "ann@example.com", purpose: "login" });
  assert.deepEqual([got, asked.length], [["first", "first", "ann@example.com"], 1]);
});

test("a function that throws without saying so ends the list: the message may be on its way", async (t) => {
  const got = [];
  const failing = () => {
    throw new Error("timeout");
  };
  const once = await client(t, { sender: [failing, () => void got.push(1)] });
  await refused("DELIVERY_FAILED", once.codes.issue({ to: phone(), purpose: "login" }));
  assert.deepEqual(got, []);
});

test("what a provider refuses is a typed error, and costs neither cooldown nor quota", async (t) => {
  const answers = [
    [400, '{"code":21610}', "UNREACHABLE"],
    [400, '{"code":21408}', "REGION_BLOCKED"],
    [401, '{"code":20003}', "CONFIG"],
    [429, '{"code":20429}', "DELIVERY_LIMITED", { "retry-after": "30" }],
    [500, "<html>", "DELIVERY_FAILED"],
  ];
  for (const [status, body, code, headers] of answers) {
    const { url } = await gateway(t, () => [status, body, headers]);
    const once = await client(t, { sender: twilio(url), breaker: false });
    const to = phone();
    for (let n = 0; n < 4; n += 1) {
      const error = await refused(code, once.codes.issue({ to, purpose: "login" }));
      assert.equal(error.retryAfterSeconds, headers ? 30 : undefined);
    }
    assert.equal(await once.codes.peek({ to, purpose: "login" }), null);
  }
});

test("a status callback is believed when its provider signed it", async (t) => {
  const once = await client(t, { sender: ["none:", "twilio://AC1:12345@?from=+15551234567"] });
  const url = "https://app.example/sms";
  const body = "MessageSid=SM1&MessageStatus=undelivered&ErrorCode=30005";
  const signed = createHmac("sha1", "12345").update(`${url}ErrorCode30005MessageSidSM1MessageStatusundelivered`);
  const headers = { "X-Twilio-Signature": signed.digest("base64") };
  const status = { provider: "twilio", message: "SM1", state: "failed", reason: "UNREACHABLE", providerCode: "30005" };
  assert.deepEqual(once.sender.status({ url, headers, body }), status);
  assert.deepEqual(once.sender.status({ url, headers, body: Buffer.from(body) }), status);
  for (const forged of [{ body: `${body}0` }, { url: `${url}?x` }, { headers: {} }]) {
    assert.throws(() => once.sender.status({ url, headers, body, ...forged }), { code: "INVALID_SIGNATURE", status: 403 });
  }
  for (const wrong of [undefined, {}, { url, headers: null, body }, { url, headers, body: {} }]) {
    assert.throws(() => once.sender.status(wrong), { code: "INVALID_ARGUMENT" });
  }
});

test("senders that cannot be are CONFIG and repeat no credential", async () => {
  const wrong = ["pigeon:", "twilio://AC1@", "twilio://AC1:hunter2@?frm=1", [], [1], { url: "x" }, { uri: "http://a" }];
  for (const sender of wrong) {
    const error = await refused("CONFIG", Oncecode.open("memory:", { mode: "development", sender }));
    assert.ok(!error.message.includes("hunter2"), error.message);
  }
});

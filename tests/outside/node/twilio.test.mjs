/** `twilio:` next to Twilio's own package. */

import assert from "node:assert/strict";
import { test } from "node:test";
import twilio from "twilio";
import { Oncecode } from "../../../bindings-node/index.mjs";
import { essence, gateway, send } from "./gateway.mjs";

const SID = `AC${"0".repeat(32)}`;
const TO = "+14158675309";
const API = "https://api.twilio.com";

/** Twilio's package, whose requests go to the gateway. */
function theirs(url) {
  const http = new twilio.RequestClient();
  const httpClient = { request: (options) => http.request({ ...options, uri: options.uri.replace(API, url) }) };
  return twilio(SID, "t0ken", { httpClient });
}

for (const [what, query, fields] of [
  ["a number", "from=+15551234567", { from: "+15551234567" }],
  ["a service", "service=MG1", { messagingServiceSid: "MG1" }],
  [
    "a callback",
    `from=+15551234567&callback=${encodeURIComponent("https://app.example/sms?a=b c&d=é")}`,
    { from: "+15551234567", statusCallback: "https://app.example/sms?a=b c&d=é" },
  ],
]) {
  test(`the request for a message from ${what} is that of the package`, async (t) => {
    const { url, asked } = await gateway(t, 201, '{"sid":"SM1","status":"queued"}');
    const sender = `twilio://${SID}:t0ken@?${query}&base=${encodeURIComponent(url)}`;
    await send(t, sender, TO, { appName: "Äcme & Söhne* (~'!)" });
    const body = new URLSearchParams(asked[0].body).get("Body");
    await theirs(url).messages.create({ to: TO, body, ...fields });
    assert.equal(asked.length, 2);
    const [ours, other] = asked.map((one) => essence(one, "authorization"));
    assert.deepEqual(ours, other);
    assert.match(ours.authorization, /^Basic /);
  });
}

/** What we say of a callback: true where we believe it. */
async function believed(t, request) {
  const once = await Oncecode.open("memory:", {
    mode: "development",
    sender: ["none:", "twilio://AC1:12345@?from=+15551234567"],
  });
  t.after(() => once.close());
  try {
    return typeof once.sender.status(request) === "object";
  } catch (error) {
    assert.equal(error.code, "INVALID_SIGNATURE");
    return false;
  }
}

const CALLBACK = "https://mycompany.com/myapp.php?foo=1&bar=2";
const FIELDS = {
  CallSid: "CA1234567890ABCDE",
  Digits: "1234",
  From: "+14158675309",
  To: "+18005551212",
  Caller: "+14158675309",
};
const SIGNATURE = "RSOYDt4T1cUTdK1PDd93/VVr8B8=";

test("the known signature is right for both", async (t) => {
  assert.ok(twilio.validateRequest("12345", SIGNATURE, CALLBACK, FIELDS));
  const body = new URLSearchParams(FIELDS).toString();
  assert.ok(await believed(t, { url: CALLBACK, headers: { "X-Twilio-Signature": SIGNATURE }, body }));
});

test("whatever is changed, both say the same", async (t) => {
  const sign = (url, fields, token = "12345") => twilio.getExpectedTwilioSignature(token, url, fields);
  const odd = { ...FIELDS, Body: "é + ü & =?/", Empty: "", a: "b" };
  const seen = new Set();
  for (const [url, fields, signature] of [
    [CALLBACK, FIELDS, SIGNATURE],
    [CALLBACK.replace(".com/", ".com:443/"), FIELDS, SIGNATURE],
    [CALLBACK.replace(".com/", ".com:8443/"), FIELDS, SIGNATURE],
    [CALLBACK, FIELDS, sign(CALLBACK.replace(".com/", ".com:443/"), FIELDS)],
    [CALLBACK, odd, sign(CALLBACK, odd)],
    [CALLBACK, { ...odd, a: "c" }, sign(CALLBACK, odd)],
    [CALLBACK, { ...FIELDS, Digits: "1235" }, SIGNATURE],
    [CALLBACK, {}, SIGNATURE],
    [CALLBACK, {}, sign(CALLBACK, {})],
    [`${CALLBACK}&baz=3`, FIELDS, SIGNATURE],
    [CALLBACK.replace("https", "http"), FIELDS, SIGNATURE],
    [CALLBACK, FIELDS, sign(CALLBACK, FIELDS, "54321")],
    [CALLBACK, FIELDS, SIGNATURE.slice(0, -2)],
    [CALLBACK, FIELDS, ""],
  ]) {
    const body = new URLSearchParams(fields).toString();
    const ours = await believed(t, { url, headers: { "X-Twilio-Signature": signature }, body });
    assert.equal(ours, twilio.validateRequest("12345", signature, url, fields), `${url} ${body} ${signature}`);
    seen.add(ours);
  }
  assert.deepEqual(seen, new Set([true, false]));
});

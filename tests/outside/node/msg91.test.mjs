/** `msg91:` next to MSG91's own package. */

import assert from "node:assert/strict";
import { createRequire } from "node:module";
import { test } from "node:test";
import { essence, gateway, send } from "./gateway.mjs";

const require = createRequire(import.meta.url);
const msg91 = require("msg91").default;
// The package knows one host; its client of HTTP can be told another.
const http = require("msg91/dist/axios.js").default;

msg91.initialize({ authKey: "t0ken" });

/** Sends the package's requests to the gateway. */
function redirected(t, url) {
  const rule = http.interceptors.request.use((request) => {
    request.url = request.url.replace("https://api.msg91.com", url);
    return request;
  });
  t.after(() => http.interceptors.request.eject(rule));
}

/** Without what tells MSG91 which package asked. */
function plain(request, auth) {
  const { pluginsource: _, ...query } = request.query;
  return essence({ ...request, query }, auth);
}

for (const [what, query, sender] of [
  ["by a template", "", undefined],
  ["by a template and a sender", "&sender=ACMEIN", "ACMEIN"],
]) {
  test(`the request for a message ${what} is that of the package`, async (t) => {
    const { url, asked } = await gateway(t, 200, '{"type":"success","message":"3763646c"}');
    const { code } = await send(t, `msg91://t0ken@?template=T1&base=${encodeURIComponent(url)}${query}`, "+919999999990");
    redirected(t, url);
    const recipients = [{ mobiles: "919999999990", VAR1: code }];
    await msg91.getSMS().send("T1", recipients, { shortURL: false, senderId: sender });
    assert.equal(asked.length, 2);
    const [ours, other] = asked
      .map((one) => plain(one, "authkey"))
      // The package forgets to say that its JSON is JSON.
      .map(({ type: _, ...one }) => ({ ...one, body: JSON.parse(one.body) }));
    assert.deepEqual(ours, other);
    assert.equal(asked[0].headers["content-type"], "application/json");
  });
}

test("the request for a code by SendOTP is that of the package, with our code and the key in a header", async (t) => {
  const { url, asked } = await gateway(t, 200, '{"type":"success","request_id":"3763646c"}');
  const { code } = await send(t, `msg91://t0ken@?template=T1&api=otp&base=${encodeURIComponent(url)}`, "+919999999990");
  redirected(t, url);
  await msg91.getOTP("T1", { length: 6 }).send("919999999990", { expiry: 10 });
  assert.equal(asked.length, 2);
  const [ours, other] = asked.map((one) => plain(one, "authkey"));
  assert.equal(ours.query.otp, code);
  delete ours.query.otp;
  assert.equal(other.query.authkey, ours.authkey);
  delete other.query.authkey;
  other.authkey = ours.authkey;
  assert.deepEqual(ours, other);
});

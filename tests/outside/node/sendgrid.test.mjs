/** `sendgrid:` next to SendGrid's own package. */

import assert from "node:assert/strict";
import { test } from "node:test";
import { MailService } from "@sendgrid/mail";
import { essence, gateway, send } from "./gateway.mjs";

const KEY = "SG.t0ken";

for (const from of ["no-reply@acme.example", "Acme, Inc. <no-reply@acme.example>"]) {
  test(`the request for an email from ${from} is that of the package`, async (t) => {
    const { url, asked } = await gateway(t, 202);
    const query = `from=${encodeURIComponent(from)}&base=${encodeURIComponent(url)}`;
    const { code } = await send(t, `sendgrid://${KEY}@?${query}`, "ann@example.com", { appName: "Äcme" });
    const { subject, content } = JSON.parse(asked[0].body);
    const [text, html] = content.map(({ value }) => value);
    assert.ok(text.includes(code) && html.includes(code));

    const service = new MailService();
    service.setApiKey(KEY);
    service.client.setDefaultRequest("baseUrl", url);
    await service.send({
      to: "ann@example.com",
      from,
      subject,
      text,
      html,
      trackingSettings: { clickTracking: { enable: false, enableText: false }, openTracking: { enable: false } },
    });
    assert.equal(asked.length, 2);
    const [ours, other] = asked
      .map((one) => ({ ...essence(one, "authorization"), accept: one.headers.accept }))
      .map((one) => ({ ...one, body: JSON.parse(one.body) }));
    assert.deepEqual(ours, other);
    assert.equal(ours.authorization, `Bearer ${KEY}`);
  });
}

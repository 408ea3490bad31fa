import assert from "node:assert/strict";
import { test } from "node:test";
import { Oncecode } from "oncecode";
import { open, phone, refusal } from "./support.mjs";

async function recorded(t, options) {
  const messages = [];
  const once = await open(t, { ...options, sender: (message) => void messages.push(message) });
  return { once, messages };
}

test("templates of the app's own are used, by purpose and language", async (t) => {
  const messages = { "*": { hi: { sms: "{code} {minutes}" } }, login: { en: { sms: "{app}: {code}" } } };
  const { once, messages: sent } = await recorded(t, { appName: "Acme", messages, domain: "acme.example" });
  const to = phone();
  const { code } = await once.codes.issue({ to, purpose: "login" });
  const second = await once.codes.issue({ to, purpose: "signup", locale: "hi-IN" });
  assert.deepEqual(sent.map(({ text, segments }) => [text, segments]), [
    [`Acme: ${code}\n@acme.example #${code}`, 1],
    [`${second.code} 10\n@acme.example #${second.code}`, 1],
  ]);
});

test("an email has a subject and HTML that runs from right to left in Arabic", async (t) => {
  const { once, messages } = await recorded(t, { appName: "A & B" });
  const { code } = await once.codes.issue({ to: "ann@example.com", purpose: "login", locale: "ar" });
  const [{ subject, html, segments }] = messages;
  assert.ok(subject.includes("A & B") && !subject.includes(code));
  assert.ok(html.includes('dir="rtl"') && html.includes("A &amp; B") && html.includes(code));
  assert.equal(segments, undefined);
});

test("a link is sent with its own words", async (t) => {
  const { once, messages } = await recorded(t, {});
  const link = await once.links.send({ to: "ann@example.com", purpose: "verify", url: "https://a.example/{token}?b=1&c=2" });
  assert.equal(link.url, `https://a.example/${link.token}?b=1&c=2`);
  const [{ html, text, code, expiresInSeconds, ...message }] = messages;
  assert.deepEqual([message.link, code, expiresInSeconds], [link.url, "", 86_400]);
  assert.ok(text.includes(link.url) && html.includes(link.url.replace("&", "&amp;")) && text.includes("24 hours"));
  await assert.rejects(once.links.send({ to: "ann@example.com", purpose: "verify" }), refusal("INVALID_ARGUMENT"));
});

test("a template that cannot work is refused at open, by its name", async () => {
  for (const [template, why] of [
    [{ sms: "" }, /login\.hi\.sms: .*empty/],
    [{ sms: "code" }, /login\.hi\.sms: \{code\} is missing/],
    [{ text: "{code} {cod}" }, /login\.hi\.text: unknown placeholder \{cod\}/],
    [{ html: "{code}" }, /login\.hi\.html needs/],
  ]) {
    const options = { mode: "development", messages: { login: { hi: template } } };
    await assert.rejects(Oncecode.open("memory:", options), refusal("CONFIG", { message: why }));
  }
});

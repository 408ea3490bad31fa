// examples/express-react: built and started as its README says, on Redis, used with the keyboard alone, on a telephone's width and on a desk's.

import assert from "node:assert/strict";
import { randomBytes } from "node:crypto";
import { once } from "node:events";
import { createServer } from "node:http";
import { text } from "node:stream/consumers";
import { after, before, test } from "node:test";
import { fileURLToPath } from "node:url";
import { WIDTHS, focused, launch, look, open } from "./support/browser.mjs";
import { start } from "./support/server.mjs";

const EXAMPLE = fileURLToPath(new URL("../../examples/express-react", import.meta.url));
const REFUSED = /status of (400|401|429)/;

let browser, server, hasty;

before(async () => {
  const { ONCECODE_TEST_REDIS } = process.env;
  assert.ok(ONCECODE_TEST_REDIS, "ONCECODE_TEST_REDIS must name a Redis server: redis://...");
  // A secret of this run's own makes keys of its own in the Redis that is there.
  const env = { REDIS_URL: ONCECODE_TEST_REDIS, ONCECODE_SECRET: randomBytes(32).toString("base64") };
  // One after the other: what began is ended also where the next fails.
  browser = await launch();
  server = await start(["npm", "start"], { cwd: EXAMPLE, env });
  // The next code in the seconds that a test can spend; built already.
  const sooner = { ...env, RESEND_SECONDS: "3" };
  hasty = await start([process.execPath, "dist/server/main.js", "--development"], { cwd: EXAMPLE, env: sooner });
});

after(() => Promise.all([browser?.close(), server?.stop(), hasty?.stop()]));

for (const [at, [name, width]] of Object.entries(WIDTHS).entries()) {
  const visit = (t, more) => open(t, browser, { base: server.base, width, expected: REFUSED, ...more });
  const number = (last) => `98765 43${at}0${last}`;

  test(`a phone number opens the vault with the keyboard alone, and log-out closes it: ${name}`, async (t) => {
    const page = await visit(t, { permissions: ["clipboard-read", "clipboard-write"] });
    await page.goto("/vault");
    await page.getByRole("heading", { name: "Sign in" }).waitFor();
    assert.equal(new URL(page.url()).pathname, "/login");
    await look(page, "express-sign-in");

    await tabTo(page, 'input "Mobile number"');
    await page.keyboard.press("Enter");
    await said(page, "Please enter your mobile number.");
    await page.keyboard.type("12");
    await page.keyboard.press("Enter");
    await said(page, "That is no mobile number. Please check its digits.");
    assert.equal(await focused(page), 'input "Mobile number"');
    await look(page, "express-no-phone-number");

    await page.keyboard.press("Control+A");
    await page.keyboard.type(number(1));
    await page.keyboard.press("Enter");
    await page.getByRole("heading", { name: "Enter the code" }).waitFor();
    await told(page, `We sent a code to +91 98765 43${at}01.`);
    const field = page.getByRole("textbox", { name: "6-digit code" });
    assert.equal(await focused(page), 'input "6-digit code"');
    assert.equal(await field.getAttribute("autocomplete"), "one-time-code");
    assert.equal(await field.getAttribute("inputmode"), "numeric");
    await page.getByText("5 attempts left").waitFor();
    await page.getByText(/^good for (10:00|9:\d\d)$/).waitFor();
    const wait = page.getByRole("button", { name: "Send a new code" });
    assert.match(await wait.innerText(), /^Send a new code in (60|5\d) s$/);
    await look(page, "express-code");

    const code = await page.locator("output").innerText();
    await page.keyboard.type(other(code));
    await said(page, "That is not the code. 4 attempts left.");
    assert.equal(await focused(page), 'input "6-digit code"');
    await look(page, "express-wrong-code");
    // Whoever presses Enter as well has not tried twice.
    await page.keyboard.press("Enter");
    await said(page, "That is the code you just tried.");
    assert.equal(await page.locator("#code-hint span").first().innerText(), "4 attempts left");

    // What was typed is selected: pasting replaces it.
    await page.evaluate((text) => navigator.clipboard.writeText(text), `${code.slice(0, 3)} ${code.slice(3)}`);
    await page.keyboard.press("Control+V");
    await page.getByRole("heading", { name: "Your vault" }).waitFor();
    await told(page, "You are signed in.");
    assert.equal(await focused(page), 'h1 "Your vault"');
    await page.getByText("Complete blood count").waitFor();
    await look(page, "express-vault");

    await page.reload();
    await page.getByText(`Signed in as +91 98765 43${at}01`).waitFor();
    const [cookie] = await page.context().cookies();
    assert.deepEqual([cookie.httpOnly, cookie.sameSite], [true, "Lax"]);
    assert.equal(await page.evaluate(() => document.cookie + localStorage.length + sessionStorage.length), "00");

    await tabTo(page, 'button "Log out"');
    await page.keyboard.press("Enter");
    await page.getByRole("heading", { name: "Sign in" }).waitFor();
    await told(page, "You are logged out.");
    assert.equal(await focused(page), 'h1 "Sign in"');
    await look(page, "express-logged-out");
    const late = await page.request.get("/api/vault", { headers: { cookie: `${cookie.name}=${cookie.value}` } });
    assert.equal(late.status(), 401);
    await page.goBack();
    await page.getByRole("heading", { name: "Sign in" }).waitFor();
  });

  test(`a new code is sent when the wait is over, and the old one is dead: ${name}`, async (t) => {
    const page = await visit(t, { base: hasty.base });
    await ask(page, number(2));
    const code = page.locator("output");
    const old = await code.innerText();
    await page.keyboard.type(other(other(old)));
    await said(page, "4 attempts left");
    await page.getByRole("button", { name: "Send a new code", exact: true }).press("Enter");
    await told(page, "We sent a new code.");
    await page.getByRole("button", { name: /^Send a new code in [123] s$/ }).waitFor();
    assert.equal(await focused(page), 'input "6-digit code"');
    await page.getByText("5 attempts left").waitFor();
    await look(page, "express-new-code");

    const now = await code.innerText();
    if (old !== now) {
      await page.keyboard.type(old);
      await said(page, "That is not the code. 4 attempts left.");
    }
    await page.keyboard.type(now);
    await page.getByRole("heading", { name: "Your vault" }).waitFor();
  });

  test(`whoever asks too soon is told when: ${name}`, async (t) => {
    const page = await visit(t);
    await page.clock.install();
    await ask(page, number(5));
    const button = page.getByRole("button", { name: "Send a new code" });
    await button.press("Enter");
    assert.match(await button.innerText(), /in \d\d s$/);
    // The page's clock alone: on the server the wait goes on.
    await page.clock.fastForward(61_000);
    await page.getByRole("button", { name: "Send a new code", exact: true }).press("Enter");
    await told(page, /A code is on its way already\. You can ask for another in \d\d seconds\./);
    await page.getByRole("button", { name: /^Send a new code in \d\d s$/ }).waitFor();
    await page.clock.fastForward(600_000);
    await page.getByText("this code has expired").waitFor();
    await look(page, "express-expired");
  });

  test(`whoever asks again too soon, reloads or comes back can enter the code of a moment ago: ${name}`, async (t) => {
    const page = await visit(t);
    await ask(page, number(3));
    const code = await page.locator("output").innerText();
    await page.reload();
    await page.getByRole("heading", { name: "Enter the code" }).waitFor();
    await page.getByRole("link", { name: "Change number" }).press("Enter");
    await ask(page, `+91${number(3)}`);
    await told(page, "A code is on its way to you already.");
    assert.equal(await page.locator("output").count(), 0);
    await page.keyboard.type(code);
    await page.getByRole("heading", { name: "Your vault" }).waitFor();
  });

  test(`the last attempt says so, and no more are compared: ${name}`, async (t) => {
    const page = await visit(t);
    await ask(page, number(4));
    let guess = await page.locator("output").innerText();
    for (const left of ["4 attempts left", "3 attempts left", "2 attempts left", "1 attempt left", "it was the last attempt"]) {
      guess = other(guess);
      await page.keyboard.type(guess);
      await said(page, left);
    }
    await page.keyboard.type(other(guess));
    await said(page, "Too many wrong codes.");
    await look(page, "express-no-attempts");
  });
}

test("whoever is signed in on two devices ends it on the other one", async (t) => {
  const devices = ["Mozilla/5.0 (iPhone; CPU iPhone OS 19_0 like Mac OS X) AppleWebKit/605.1.15 Version/19.0 Mobile/15E148 Safari/604.1", undefined];
  const pages = [];
  for (const userAgent of devices) {
    const page = await open(t, browser, { base: hasty.base, width: WIDTHS.phone, expected: REFUSED, ...(userAgent && { userAgent }) });
    await ask(page, "98765 43995");
    await page.keyboard.type(await page.locator("output").innerText());
    await page.getByText("This device").waitFor();
    pages.push(page);
  }
  const [there, here] = pages;
  await here.getByText("Safari on iPhone").waitFor();
  await look(here, "express-devices");
  await tabTo(here, 'button "Log out of Safari on iPhone"');
  await here.keyboard.press("Enter");
  await told(here, "Logged out of Safari on iPhone.");
  assert.equal(await focused(here), 'h2 "Signed in on"');
  await here.getByText("Safari on iPhone", { exact: true }).waitFor({ state: "detached" });
  await there.reload();
  await there.getByRole("heading", { name: "Sign in" }).waitFor();
});

test("a telephone that hands over the code of a message signs in by itself", async (t) => {
  const page = await open(t, browser, { base: server.base, width: WIDTHS.phone, expected: REFUSED });
  // No telephone here: the part of WebOTP that is the browser's.
  await page.addInitScript(() => {
    window.OTPCredential ??= class {};
    window.asked = [];
    navigator.credentials.get = (request) => new Promise((answer) => window.asked.push({ request, answer }));
  });
  await ask(page, "98765 43993");
  const code = await page.locator("output").innerText();
  await page.waitForFunction(() => window.asked.length > 0);
  assert.deepEqual(await page.evaluate(() => window.asked.map(({ request: { otp } }) => otp)), [{ transport: ["sms"] }]);
  await page.evaluate((code) => window.asked[0].answer({ code }), code);
  await page.getByRole("heading", { name: "Your vault" }).waitFor();
  assert.equal(await page.evaluate(() => window.asked[0].request.signal.aborted), true);
});

test("pages can be read in 320 pixels", async (t) => {
  const page = await open(t, browser, { base: server.base, width: 320, expected: REFUSED });
  await page.goto("/login");
  await page.getByRole("heading", { name: "Sign in" }).waitFor();
  await look(page, "express-sign-in");
  await ask(page, "98765 43994");
  await look(page, "express-code");
  await page.keyboard.type(await page.locator("output").innerText());
  await page.getByText("This device").waitFor();
  await look(page, "express-vault");
});

test("a server that is away is told of, and asked again", async (t) => {
  const page = await open(t, browser, { base: server.base, width: WIDTHS.phone, expected: /Failed to load resource/ });
  await page.route("**/api/auth/session", (route) => route.abort());
  await page.goto("/");
  await page.getByRole("heading", { name: "We cannot reach the vault" }).waitFor();
  await look(page, "express-away");
  await page.unroute("**/api/auth/session");
  await page.getByRole("button", { name: "Try again" }).press("Enter");
  await page.getByRole("heading", { name: "Sign in" }).waitFor();

  await page.route("**/otp/request", (route) => route.abort());
  await page.getByLabel("Mobile number").fill("98765 43999");
  await page.keyboard.press("Enter");
  await told(page, "No answer came. Please check your connection and try again.");
  await look(page, "express-no-answer");
});

test("dark pages are read as well", async (t) => {
  const page = await open(t, browser, { base: server.base, width: WIDTHS.desk, expected: REFUSED, colorScheme: "dark" });
  await ask(page, "98765 43998");
  await look(page, "express-dark-code");
  await page.keyboard.type(await page.locator("output").innerText());
  await page.getByText("Complete blood count").waitFor();
  await look(page, "express-dark-vault");
});

test("npm run dev serves the pages as they are edited", async (t) => {
  const dev = await start(["npm", "run", "dev"], { cwd: EXAMPLE });
  t.after(() => dev.stop());
  const page = await open(t, browser, { base: dev.base, expected: REFUSED });
  await ask(page, "98765 43996");
  await page.keyboard.type(await page.locator("output").innerText());
  await page.getByText("Complete blood count").waitFor();
  await page.getByRole("button", { name: "Log out" }).press("Enter");
  await page.getByRole("heading", { name: "Sign in" }).waitFor();
});

test("in production the code is in the SMS alone, and the cookie is this host's", async (t) => {
  // What Twilio's API would be asked.
  const sms = [];
  const gateway = createServer(async (request, answer) => {
    sms.push(new URLSearchParams(await text(request)));
    answer.writeHead(201, { "content-type": "application/json" }).end(JSON.stringify({ sid: `SM${sms.length}`, status: "queued" }));
  }).listen(0, "127.0.0.1");
  await once(gateway, "listening");
  t.after(() => gateway.close());
  const base = `http://127.0.0.1:${gateway.address().port}`;
  const env = {
    ONCECODE_MODE: "production",
    ONCECODE_SECRET: randomBytes(32).toString("base64"),
    REDIS_URL: process.env.ONCECODE_TEST_REDIS,
    ONCECODE_SENDER: `twilio://AC1:12345@?from=%2B15551234567&base=${encodeURIComponent(base)}`,
    DOMAIN: "vault.example",
  };
  const production = await start([process.execPath, "dist/server/main.js"], { cwd: EXAMPLE, env });
  t.after(() => production.stop());

  const page = await open(t, browser, { base: production.base, width: WIDTHS.phone, expected: REFUSED });
  await ask(page, "98765 43210");
  await look(page, "express-production-code");
  assert.equal(await page.locator("output").count(), 0);
  assert.equal(sms[0].get("To"), "+919876543210");
  const [, code] = /\n@vault\.example #(\d{6})$/.exec(sms[0].get("Body"));
  await page.keyboard.type(code);
  await page.getByText("Complete blood count").waitFor();
  const [cookie] = await page.context().cookies();
  assert.deepEqual([cookie.name, cookie.secure, cookie.httpOnly, cookie.path], ["__Host-arogya_vault_session", true, true, "/"]);
  assert.equal((await page.request.get("/__oncecode/messages.json")).status(), 404);
  assert.ok(!production.output().includes(code));
});

test("messages are in the inbox of development", async (t) => {
  const page = await open(t, browser, { base: server.base, expected: REFUSED });
  await ask(page, "98765 43997");
  const code = await page.locator("output").innerText();
  await page.goto("/__oncecode");
  await page.getByText(code).first().waitFor();
});

async function ask(page, phoneNumber) {
  if (!page.url().endsWith("/login")) await page.goto("/login");
  await page.getByLabel("Mobile number").fill(phoneNumber);
  await page.keyboard.press("Enter");
  await page.getByRole("heading", { name: "Enter the code" }).waitFor();
}

/** Presses Tab until the element has the focus. */
async function tabTo(page, wanted) {
  const passed = [];
  for (let steps = 0; steps < 20; steps += 1) {
    await page.keyboard.press("Tab");
    const here = await focused(page);
    if (here === wanted) return;
    passed.push(here);
  }
  assert.fail(`no ${wanted} among ${passed.join(", ")}`);
}

/** What is read out at once when something is wrong. */
function said(page, text) {
  return page.getByRole("alert").filter({ hasText: text }).waitFor();
}

/** What a toast says. */
function told(page, text) {
  return page.getByRole("status").getByText(text).waitFor();
}

function other(code) {
  return String((Number(code) + 1) % 1_000_000).padStart(6, "0");
}

// examples/fastapi: started as its README says, used with the keyboard alone, on a telephone's width and on a desk's.

import assert from "node:assert/strict";
import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { after, before, test } from "node:test";
import { fileURLToPath } from "node:url";
import { WIDTHS, focused, launch, look, open } from "./support/browser.mjs";
import { start } from "./support/server.mjs";

const CHECKOUT = fileURLToPath(new URL("../../", import.meta.url));
const API = "/api/v1/users";
const REFUSED = /status of (400|401|429)/;

let browser, server, folder;

before(async () => {
  folder = mkdtempSync(join(tmpdir(), "oncecode-accounts-"));
  const env = {
    DATABASE_URL: `sqlite:///${folder}/accounts.db`,
    ONCECODE_STORE: "memory:",
    ONCECODE_MODE: "development",
    PYTHONDONTWRITEBYTECODE: "1",
  };
  const python = join(CHECKOUT, ".venv/bin/python");
  // One after the other: what began is ended also where the next fails.
  browser = await launch();
  server = await start([python, "-m", "accounts"], { cwd: join(CHECKOUT, "examples/fastapi"), env });
});

after(async () => {
  await Promise.all([browser?.close(), server?.stop()]);
  rmSync(folder, { recursive: true });
});

for (const [at, [name, width]] of Object.entries(WIDTHS).entries()) {
  const visit = (t, more) => open(t, browser, { base: server.base, width, expected: REFUSED, ...more });

  test(`a phone number signs in and out with the keyboard alone: ${name}`, async (t) => {
    const page = await visit(t, { permissions: ["clipboard-read", "clipboard-write"] });
    await page.goto("/");
    await page.getByRole("heading", { name: "Sign in" }).waitFor();
    await look(page, "fastapi-sign-in");

    await tabTo(page, 'input "Phone number or email address"');
    await page.keyboard.type("12");
    await page.keyboard.press("Enter");
    await said(page, "That is no phone number. Does it begin with its country code?");
    assert.equal(await focused(page), 'input "Phone number or email address"');
    await look(page, "fastapi-no-phone-number");

    await write(page, `+1 555 123 45${at}1`);
    await page.keyboard.press("Enter");
    await page.getByRole("heading", { name: "Enter the code" }).waitFor();
    assert.equal(await focused(page), 'input "Code"');
    assert.equal(await page.getByRole("textbox", { name: "Code" }).getAttribute("autocomplete"), "one-time-code");
    assert.match(await page.locator("#resend").innerText(), /^Send again in \d\d s$/);
    assert.match(await page.locator("#code-expires").innerText(), /^Good for (10:00|9:\d\d) more\.$/);
    await look(page, "fastapi-code");

    const code = await page.locator("#code-value").innerText();
    await page.keyboard.type(other(code));
    await page.keyboard.press("Enter");
    await said(page, "That is not the code. You have 4 attempts left.");
    assert.equal(await focused(page), 'input "Code"');
    await look(page, "fastapi-wrong-code");

    // What was typed is selected: pasting replaces it.
    await page.evaluate((text) => navigator.clipboard.writeText(text), `${code.slice(0, 3)} ${code.slice(3)}`);
    await page.keyboard.press("Control+V");
    assert.equal(await page.getByRole("textbox", { name: "Code" }).inputValue(), `${code.slice(0, 3)} ${code.slice(3)}`);
    await page.keyboard.press("Enter");
    await page.getByRole("heading", { name: "You are signed in" }).waitFor();
    assert.equal(await focused(page), 'h1 "You are signed in"');
    assert.match(await page.locator("#account-phone").innerText(), /^\+155512345\d1$/);
    await look(page, "fastapi-account");

    await page.reload();
    await page.getByRole("heading", { name: "You are signed in" }).waitFor();
    await tabTo(page, 'button "Log out"');
    await page.keyboard.press("Enter");
    await page.getByRole("heading", { name: "Sign in" }).waitFor();
    assert.equal((await page.request.get(`${API}/me`)).status(), 401);
  });

  test(`whoever asks again too soon can enter the code of a moment ago: ${name}`, async (t) => {
    const page = await visit(t);
    const ask = async () => {
      await page.goto("/");
      await page.getByLabel("Phone number or email address").fill(`+1 555 123 45${at}2`);
      await page.keyboard.press("Enter");
      await page.getByRole("heading", { name: "Enter the code" }).waitFor();
    };
    await ask();
    const code = await page.locator("#code-value").innerText();
    await ask();
    assert.equal(await page.locator("#code-shown").isVisible(), false);
    await page.keyboard.type(code);
    await page.keyboard.press("Enter");
    await page.getByRole("heading", { name: "You are signed in" }).waitFor();
  });

  test(`live and demo accounts are signed up: ${name}`, async (t) => {
    const page = await visit(t);
    for (const kind of ["Live", "Demo"]) {
      await page.goto("/signup");
      if (kind === "Demo") await logOut(page);
      await page.goto("/signup");
      await page.getByRole("heading", { name: "Sign up" }).waitFor();
      await tabTo(page, 'input "Email address"');
      await page.keyboard.type(`${name}@example.com`);
      await page.keyboard.press("Tab");
      if (kind === "Demo") await page.keyboard.press("ArrowRight");
      if (kind === "Demo") await look(page, "fastapi-sign-up");
      await page.keyboard.press("Enter");
      await page.getByRole("heading", { name: "Enter the code" }).waitFor();
      await page.keyboard.type(await page.locator("#code-value").innerText());
      await page.keyboard.press("Enter");
      await page.getByRole("heading", { name: "You are signed in" }).waitFor();
      assert.equal(await page.locator("#account-type").innerText(), kind);
      assert.equal(await page.locator("#account-email").innerText(), `${name}@example.com`);
    }
  });

  test(`a link in an email is opened by a scanner, then confirmed once: ${name}`, async (t) => {
    const page = await visit(t);
    await page.goto("/");
    await tabTo(page, 'input "Phone number or email address"');
    await page.keyboard.type(`link-${name}@example.com`);
    await tabTo(page, 'button "Email me a link instead"');
    await page.keyboard.press("Enter");
    await page.getByRole("heading", { name: "Look into your mailbox" }).waitFor();
    await look(page, "fastapi-mailed");
    const link = await page.locator("#link-value").getAttribute("href");
    const token = new URL(link).searchParams.get("token");

    const scanner = await visit(t);
    for (let time = 0; time < 2; time += 1) {
      await scanner.goto(link);
      await scanner.getByRole("button", { name: "Confirm and sign in" }).waitFor();
    }
    assert.equal((await scanner.request.get(`${API}/me`)).status(), 401);

    await page.goto(link);
    await page.getByRole("button", { name: "Confirm and sign in" }).waitFor();
    assert.equal(new URL(page.url()).search, "");
    await look(page, "fastapi-link");
    await tabTo(page, 'button "Confirm and sign in"');
    await page.keyboard.press("Enter");
    await page.getByRole("heading", { name: "Your email address is confirmed" }).waitFor();
    assert.equal(await focused(page), 'h1 "Your email address is confirmed"');
    await look(page, "fastapi-link-confirmed");

    const again = await page.request.post(`${API}/email/verify`, { data: { token } });
    assert.deepEqual([again.status(), (await again.json()).code], [400, "LINK_INVALID"]);
    await scanner.getByRole("button", { name: "Confirm and sign in" }).click();
    await scanner.getByRole("heading", { name: "This link does not work" }).waitFor();
    await look(scanner, "fastapi-link-used");

    await page.goto("/");
    await page.getByRole("heading", { name: "You are signed in" }).waitFor();
    assert.equal(await page.locator("#account-email").innerText(), `link-${name}@example.com`);
  });
}

test("a dark page is read as well", async (t) => {
  const page = await open(t, browser, { base: server.base, width: WIDTHS.phone, expected: REFUSED, colorScheme: "dark" });
  await page.goto("/signup");
  await page.getByRole("heading", { name: "Sign up" }).waitFor();
  await look(page, "fastapi-dark");
});

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

async function write(page, text) {
  await page.keyboard.press("Control+A");
  await page.keyboard.type(text);
}

/** What is read out when something is wrong. */
function said(page, text) {
  return page.getByRole("alert").filter({ hasText: text }).waitFor();
}

async function logOut(page) {
  assert.equal((await page.request.post(`${API}/logout`)).status(), 200);
}

function other(code) {
  return String((Number(code) + 1) % 1_000_000).padStart(6, "0");
}

// What the other tests here lean on.

import assert from "node:assert/strict";
import { after, before, test } from "node:test";
import { launch, look, open } from "./support/browser.mjs";

let browser;
before(async () => {
  browser = await launch();
});
after(() => browser.close());

const blank = (body) => `data:text/html,${encodeURIComponent(`<!doctype html><html lang="en"><title>t</title><main><h1>h</h1>${body}</main>`)}`;

test("a page that nobody can read by ear is refused", async (t) => {
  const page = await open(t, browser, {});
  await page.goto(blank("<input>"));
  await assert.rejects(look(page, "harness"), /label/);
});

test("a page that is wider than the window is refused", async (t) => {
  const page = await open(t, browser, { width: 390 });
  await page.goto(blank('<p style="width:600px">wide'));
  await assert.rejects(look(page, "harness"), /600|\d+ px wide/);
});

test("a page in order passes", async (t) => {
  const page = await open(t, browser, { width: 390 });
  await page.goto(blank("<label>Name <input></label>"));
  await look(page, "harness");
});

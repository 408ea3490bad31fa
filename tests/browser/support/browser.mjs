// Debian's Chromium, and what every page of it is asked: no violation of axe-core, a picture to look at, no error in the console.

import assert from "node:assert/strict";
import { mkdirSync } from "node:fs";
import AxeBuilder from "@axe-core/playwright";
import { chromium } from "playwright-core";

/** Widths of a telephone and of a desk, in CSS pixels. */
export const WIDTHS = { phone: 390, desk: 1280 };
const HEIGHTS = { 390: 844, 1280: 800 };
const PICTURES = new URL("../screenshots/", import.meta.url);
const QUIET = [
  "--no-sandbox",
  "--disable-gpu",
  "--disable-quic",
  "--no-first-run",
  "--disable-background-networking",
  "--disable-component-update",
  "--disable-sync",
];

/** A browser with a profile of its own in a temporary folder. */
export function launch() {
  return chromium.launch({ executablePath: "/usr/bin/chromium", headless: true, args: QUIET });
}

/**
 * A page in a context of its own, closed with the test. What the page throws or writes to the console as an error fails the test,
 * unless `expected` matches it: browsers log every answer of 400 and more.
 */
export async function open(t, browser, { base, width = WIDTHS.desk, expected, ...options }) {
  const context = await browser.newContext({
    baseURL: base,
    viewport: { width, height: HEIGHTS[width] ?? 800 },
    locale: "en-GB",
    timezoneId: "Asia/Kolkata",
    reducedMotion: "reduce",
    ...options,
  });
  context.setDefaultTimeout(10_000);
  const page = await context.newPage();
  const wrong = [];
  page.on("pageerror", (error) => wrong.push(String(error)));
  page.on("console", (message) => {
    if (message.type() === "error" && !expected?.test(message.text())) wrong.push(message.text());
  });
  t.after(async () => {
    await context.close();
    assert.deepEqual(wrong, [], "the page's console");
  });
  return page;
}

/** Looks at a screen: axe-core finds nothing serious, nothing is wider than the window, and a picture is kept. */
export async function look(page, name) {
  const { width } = page.viewportSize();
  await page.evaluate(() => document.fonts.ready);
  mkdirSync(PICTURES, { recursive: true });
  await page.screenshot({ path: new URL(`${name}-${width}.png`, PICTURES).pathname, fullPage: true });

  const { violations } = await new AxeBuilder({ page }).analyze();
  const serious = violations.filter(({ impact }) => impact === "serious" || impact === "critical");
  const told = serious.map(({ id, help, nodes }) => `${id}: ${help}: ${nodes.map(({ html }) => html).join(" ")}`);
  assert.deepEqual(told, [], `axe-core on ${name} at ${width} px`);

  const wide = await page.evaluate(() => document.documentElement.scrollWidth);
  assert.ok(wide <= width, `${name} is ${wide} px wide in a window of ${width}`);
}

/** What assistive technology says has the focus: `button "Log out"`. */
export async function focused(page) {
  return page.evaluate(() => {
    const element = document.activeElement;
    const label = element.labels?.[0]?.innerText ?? element.getAttribute("aria-label") ?? element.innerText;
    return `${element.localName} "${label.trim()}"`;
  });
}

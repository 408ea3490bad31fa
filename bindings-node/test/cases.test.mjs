// `tests/cases/*.json`, which every language answers alike.

import assert from "node:assert/strict";
import { readFileSync } from "node:fs";
import { test } from "node:test";

import { Oncecode, OncecodeError } from "../index.mjs";

const SERVICES = { code: "codes", lock: "locks", idempotency: "idempotency", cache: "cache", totp: "totp" };
const counts = {};

for (const [file, service] of Object.entries(SERVICES)) {
  const cases = JSON.parse(readFileSync(new URL(`../../tests/cases/${file}.json`, import.meta.url), "utf8"));
  counts[file] = cases.length;
  for (const { name, options, steps } of cases) {
    test(`${file}: ${name}`, async () => {
      const once = await Oncecode.open("memory:", { mode: "development", sender: "none:", ...options });
      const saved = {};
      for (const [at, step] of steps.entries()) await hold(once[service], step, saved, `step ${at}`);
      await once.close();
    });
  }
}

test("the cases are all there", () => {
  assert.ok(counts.code > 30 && counts.lock >= 8 && counts.idempotency >= 9 && counts.cache >= 6 && counts.totp >= 9);
});

async function hold(service, step, saved, place) {
  // Some methods have no need to wait, and throw.
  const call = (async () => service[step.do](filled(step.with, saved)))();
  if ("fails" in step) {
    const error = await call.then(() => assert.fail(`${place} must fail`), (thrown) => thrown);
    assert.ok(error instanceof OncecodeError, `${place}: ${error}`);
    assertHas(error, step.fails, place);
    return;
  }
  const result = await call;
  assertHas(result, filled(step.gives, saved), place);
  if (step.save) saved[step.save] = result;
}

function assertHas(actual, expected, place) {
  if (typeof expected !== "object" || expected === null) {
    // What gives nothing is undefined here and null there.
    assert.equal(actual ?? null, expected, place);
    return;
  }
  for (const [field, wanted] of Object.entries(expected)) {
    if (field === "retryAfterSeconds" && Array.isArray(wanted)) {
      const seconds = actual[field];
      assert.ok(Number.isInteger(seconds), `${place}: ${field} is ${seconds}`);
      assert.ok(wanted[0] <= seconds && seconds <= wanted[1], `${place}: ${field} is ${seconds}`);
    } else {
      assert.deepEqual(actual[field], wanted, `${place}: ${field}`);
    }
  }
}

/** `value` with every `{name.field|filter}` replaced. */
function filled(value, saved) {
  if (typeof value === "string") return fill(value, saved);
  if (Array.isArray(value)) return value.map((item) => filled(item, saved));
  if (typeof value !== "object" || value === null) return value;
  return Object.fromEntries(Object.entries(value).map(([name, item]) => [name, filled(item, saved)]));
}

function fill(text, saved) {
  const found = /^\{(\w+)\.(\w+)(?:\|(\w+))?\}$/.exec(text);
  if (!found) return text;
  const [, name, field, filter] = found;
  const value = saved[name][field];
  return filter === undefined ? value : FILTERS[filter](value);
}

const FILTERS = {
  wrong: (code) => digits(code, (digit) => String((digit + 1) % 10)),
  spaced: (code) => `${code.slice(0, 3)} ${code.slice(3)}`,
  fullwidth: (code) => digits(code, (digit) => String.fromCharCode(0xff10 + digit)),
  arabic: (code) => digits(code, (digit) => String.fromCharCode(0x0660 + digit)),
  lower: (code) => code.toLowerCase(),
  short: (code) => code.slice(0, -1),
};

function digits(code, change) {
  return code.replace(/[0-9]/g, (digit) => change(Number(digit)));
}

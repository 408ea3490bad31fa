// `tests/cases/*.json`, which every language answers alike.

import assert from "node:assert/strict";
import { readFileSync } from "node:fs";
import { test } from "node:test";

import { Oncecode, OncecodeError } from "../index.mjs";

const SERVICES = {
  code: "codes",
  lock: "locks",
  idempotency: "idempotency",
  session: "sessions",
  token: "tokens",
  link: "links",
  cache: "cache",
  totp: "totp",
  limit: "limits",
};
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
  assert.ok(counts.limit >= 10 && counts.session >= 11 && counts.token >= 25 && counts.link >= 7);
});

/** Methods that take more or less than one object. */
const METHODS = {
  "sessions.validate": (sessions, { token, ip }) => sessions.validate(token, { ip }),
  "sessions.rotate": (sessions, { token }) => sessions.rotate(token),
  "sessions.list": (sessions, { userId }) => sessions.list(userId),
  "sessions.revokeAll": (sessions, { userId, except }) => sessions.revokeAll(userId, { except }),
  "sessions.cookie": (sessions, { token }) => sessions.cookie(token),
  "sessions.clearCookie": (sessions) => sessions.clearCookie(),
  "sessions.readCookie": (sessions, { header }) => sessions.readCookie(header),
  "limits.clientIp": (limits, { remote, forwardedFor }) => limits.clientIp(remote, forwardedFor),
  "tokens.sign": async (tokens, { claims, ttlSeconds }) => ({ token: await tokens.sign(claims, { ttlSeconds }) }),
  "tokens.signStateless": (tokens, { claims, ttlSeconds }) => ({ token: tokens.signStateless(claims, { ttlSeconds }) }),
  "tokens.verify": (tokens, { token }) => tokens.verify(token),
  "tokens.verifyStateless": (tokens, { token }) => tokens.verifyStateless(token),
  "tokens.revoke": (tokens, { token }) => tokens.revoke(token),
  "tokens.revokeAll": (tokens, { userId }) => tokens.revokeAll(userId),
  "tokens.revokeEverybody": (tokens) => tokens.revokeEverybody(),
  "tokens.jwks": (tokens) => tokens.jwks(),
};

/** Also of methods with nothing to await. */
async function called(service, step, saved) {
  const method = METHODS[`${service.constructor.name.toLowerCase()}.${step.do}`] ?? ((of, given) => of[step.do](given));
  return method(service, filled(step.with, saved));
}

async function hold(service, step, saved, place) {
  const call = called(service, step, saved);
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
      assert.deepEqual(actual[field] ?? null, wanted, `${place}: ${field}`);
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
  const found = /^\{(\w+)\.([\w.]+)(?:\|(\w+))?\}$/.exec(text);
  if (!found) return text;
  const [, name, fields, filter] = found;
  const value = fields.split(".").reduce((value, field) => value[field], saved[name]);
  return filter === undefined ? value : FILTERS[filter](value);
}

const FILTERS = {
  wrong: (code) => digits(code, (digit) => String((digit + 1) % 10)),
  spaced: (code) => `${code.slice(0, 3)} ${code.slice(3)}`,
  fullwidth: (code) => digits(code, (digit) => String.fromCharCode(0xff10 + digit)),
  arabic: (code) => digits(code, (digit) => String.fromCharCode(0x0660 + digit)),
  lower: (code) => code.toLowerCase(),
  altered: (token) => token.slice(0, -12) + (token.at(-12) === "A" ? "B" : "A") + token.slice(-11),
  short: (code) => code.slice(0, -1),
};

function digits(code, change) {
  return code.replace(/[0-9]/g, (digit) => change(Number(digit)));
}

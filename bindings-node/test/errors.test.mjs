import assert from "node:assert/strict";
import { readFileSync } from "node:fs";
import { createRequire } from "node:module";
import { test } from "node:test";
import { inspect } from "node:util";
import { ERROR_CODES, OncecodeError } from "oncecode";
import { open, other, phone } from "./support.mjs";

const { errorTable } = createRequire(import.meta.url)("../native/index.cjs");

test("the union of codes is the core's table", () => {
  assert.deepEqual([...ERROR_CODES], errorTable().map((row) => row.code));
});

test("every code is documented with the core's status", () => {
  const source = readFileSync(new URL("../lib/errors.cts", import.meta.url), "utf8");
  for (const { code, status } of errorTable()) assert.ok(source.includes(`| \`${code}\` | ${status} |`), code);
});

test("an error carries what the core's table says", () => {
  for (const { code, status, retryable } of errorTable()) {
    const error = new OncecodeError(code, "a message", { retryAfterSeconds: 3, attemptsLeft: 0, cause: "why" });
    assert.ok(error instanceof Error && error instanceof OncecodeError);
    assert.deepEqual({ ...error }, { code, status, retryable, retryAfterSeconds: 3, attemptsLeft: 0 });
    assert.deepEqual([error.name, error.message, error.cause], ["OncecodeError", "a message", "why"]);
  }
});

test("what an error doesn't have is absent, not undefined", () => {
  const error = new OncecodeError("CLOSED", "closed");
  assert.deepEqual(Object.keys(error), ["code", "status", "retryable"]);
  assert.equal("cause" in error, false);
});

test("a code that is none can't be made up", () => {
  assert.throws(() => new OncecodeError("NOPE", ""), TypeError);
});

test("a stack shows who awaited, and no error shows a code or an address", async (t) => {
  const once = await open(t);
  const to = phone();
  const { code } = await once.codes.issue({ to, purpose: "login" });
  const guess = other(code);
  const error = await thisHandler().catch((thrown) => thrown);
  assert.match(error.stack, /at async thisHandler/);
  const shown = inspect(error) + JSON.stringify(error);
  for (const hidden of [code, guess, to]) assert.ok(!shown.includes(hidden));

  async function thisHandler() {
    await once.codes.verify({ to, purpose: "login", code: guess });
  }
});

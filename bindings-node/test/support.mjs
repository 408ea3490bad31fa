import { mkdtempSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { randomInt } from "node:crypto";
import { Oncecode } from "oncecode";

/** At least as long as production asks for. */
export const SECRET = "a secret for the tests only, 0123456789abcdef";

let next = randomInt(90_000_000);

/** A phone number that no other test uses. */
export function phone() {
  return `+9198${String(next++ % 1e8).padStart(8, "0")}`;
}

/** A client in development mode that sends nothing, closed at the end of the test. */
export async function open(t, options = {}, url = "memory:") {
  const once = await Oncecode.open(url, { mode: "development", sender: "none:", deadlineMs: 5_000, ...options });
  t.after(() => once.close());
  return once;
}

/** A code of the same form that is not `code`. */
export function other(code) {
  return code === "000000" ? "000001" : "000000";
}

/** For `assert.rejects`: an OncecodeError with these properties. */
export function refusal(code, more = {}) {
  return { name: "OncecodeError", code, ...more };
}

/** The URL of every store. Servers come from `scripts/services.py run -- npm test`. */
export const STORES = {
  memory: () => "memory:",
  sqlite: () => `sqlite:${join(mkdtempSync(join(tmpdir(), "oncecode-")), "codes.db")}`,
  postgres: () => server("ONCECODE_TEST_POSTGRES"),
  mysql: () => server("ONCECODE_TEST_MYSQL"),
  redis: () => server("ONCECODE_TEST_REDIS"),
  upstash: () => server("ONCECODE_TEST_UPSTASH"),
};

function server(name) {
  const url = process.env[name];
  if (!url) throw new Error(`${name} is not set; run: scripts/services.py run -- npm --prefix bindings-node test`);
  return url;
}

// Flows (ask for a code, log in, log out) on examples/fastapi with Redis, so many at once.
//
//     scripts/services.py run --only redis -- npm --prefix tests/load run fastapi -- --seconds 10 --at-once 32
//
// Prints requests a second and the 50th and 99th percentile; any answer but 200 ends it with status 1.
// No part of `make test`.

import assert from "node:assert/strict";
import { randomBytes } from "node:crypto";
import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { start } from "../browser/support/server.mjs";
import { load } from "./flows.mjs";

const CHECKOUT = fileURLToPath(new URL("../..", import.meta.url));
const { ONCECODE_TEST_REDIS: REDIS_URL } = process.env;
assert.ok(REDIS_URL, "ONCECODE_TEST_REDIS must name a Redis server: redis://...");

const folder = mkdtempSync(join(tmpdir(), "oncecode-load-"));
const server = await start([join(CHECKOUT, ".venv/bin/python"), "-m", "accounts"], {
  cwd: join(CHECKOUT, "examples/fastapi"),
  env: {
    ONCECODE_MODE: "development",
    REDIS_URL,
    DATABASE_URL: `sqlite:///${folder}/accounts.db`,
    // An app of this run's own in the Redis that is there.
    ONCECODE_SECRET: randomBytes(32).toString("base64"),
    TRUSTED_PROXIES: "127.0.0.1,::1",
  },
});
try {
  const who = (n) => ({ email: `user${n}@example.com` });
  process.exitCode = await load("fastapi", server.base, { auth: "/api/v1/users", who });
} finally {
  await server.stop();
  rmSync(folder, { recursive: true });
}

// Flows (ask for a code, log in, open the vault, log out) on examples/express-react with Redis, so many at once.
//
//     scripts/services.py run --only redis -- npm --prefix tests/load run express -- --seconds 10 --at-once 32
//
// Prints requests a second and the 50th and 99th percentile; any answer but 200 ends it with status 1.
// No part of `make test`.

import assert from "node:assert/strict";
import { randomBytes } from "node:crypto";
import { fileURLToPath } from "node:url";
import { start } from "../browser/support/server.mjs";
import { load } from "./flows.mjs";

const EXAMPLE = fileURLToPath(new URL("../../examples/express-react", import.meta.url));
const { ONCECODE_TEST_REDIS: REDIS_URL } = process.env;
assert.ok(REDIS_URL, "ONCECODE_TEST_REDIS must name a Redis server: redis://...");

const server = await start([process.execPath, "dist/server/main.js"], {
  cwd: EXAMPLE,
  env: {
    ONCECODE_MODE: "development",
    REDIS_URL,
    // An app of this run's own in the Redis that is there.
    ONCECODE_SECRET: randomBytes(32).toString("base64"),
    // An address each, which only a proxy that is trusted can say.
    TRUSTED_PROXIES: "127.0.0.1,::1",
  },
});
try {
  const who = (n) => ({ phoneNumber: `+9198${String(n).padStart(8, "0")}` });
  process.exitCode = await load("express", server.base, { auth: "/api/auth", who, between: ["/api/vault"] });
} finally {
  await server.stop();
}

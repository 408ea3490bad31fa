// Flows (ask for a code, log in, open the vault, log out) on examples/express-react with Redis, so many at once.
//
//     scripts/services.py run --only redis -- npm --prefix tests/load run express -- --seconds 10 --at-once 32
//
// Prints requests a second and the 50th and 99th percentile; any answer but 200 ends it with status 1.
// No part of `make test`.

import assert from "node:assert/strict";
import { randomBytes } from "node:crypto";
import { fileURLToPath } from "node:url";
import { parseArgs } from "node:util";
import autocannon from "autocannon";
import { start } from "../browser/support/server.mjs";

const EXAMPLE = fileURLToPath(new URL("../../examples/express-react", import.meta.url));
const AUTH = "/api/auth";

const { values } = parseArgs({ options: { seconds: { type: "string", default: "10" }, "at-once": { type: "string", default: "32" } } });
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
  process.exitCode = await load(server.base, Number(values.seconds), Number(values["at-once"]));
} finally {
  await server.stop();
}

async function load(base, duration, connections) {
  let flows = 0;
  const failed = [];
  const check = (path) => (status, body) => {
    if (status !== 200) failed.push(`${path}: ${status} ${body}`);
  };
  const headers = (context) => ({ "content-type": "application/json", "x-forwarded-for": context.address });
  const post = (path, more) => ({ method: "POST", path: AUTH + path, onResponse: check(path), ...more });
  const requests = [
    post("/otp/request", {
      setupRequest: (request, context) => {
        flows += 1;
        const digits = String(flows).padStart(8, "0");
        Object.assign(context, {
          phoneNumber: `+9198${digits}`,
          address: `10.${Math.floor(flows / 65_536) % 256}.${Math.floor(flows / 256) % 256}.${flows % 256}`,
        });
        return { ...request, headers: headers(context), body: JSON.stringify({ phoneNumber: context.phoneNumber }) };
      },
      onResponse: (status, body, context) => {
        check("/otp/request")(status, body);
        context.otp = status === 200 ? JSON.parse(body).otp : "000000";
      },
    }),
    post("/otp/verify", {
      setupRequest: (request, context) => {
        const { phoneNumber, otp } = context;
        return { ...request, headers: headers(context), body: JSON.stringify({ phoneNumber, otp }) };
      },
      onResponse: (status, body, context, answered) => {
        check("/otp/verify")(status, body);
        const set = answered["set-cookie"] ?? answered["Set-Cookie"] ?? "";
        context.cookie = String(set).split(";")[0];
      },
    }),
    { method: "GET", path: "/api/vault", setupRequest: (request, context) => ({ ...request, headers: { ...headers(context), cookie: context.cookie } }), onResponse: check("/api/vault") },
    post("/logout", { setupRequest: (request, context) => ({ ...request, headers: { ...headers(context), cookie: context.cookie } }) }),
  ];
  const { latency, requests: counted, errors, timeouts, non2xx } = await autocannon({ url: base, connections, duration, requests });
  console.log(
    `express + redis: ${counted.total} requests, ${connections} at once, ${Math.round(counted.average)}/s,` +
      ` p50 ${latency.p50} ms, p99 ${latency.p99} ms, ${failed.length + errors + timeouts} failed`,
  );
  for (const line of failed.slice(0, 5)) console.error(line);
  return failed.length + errors + timeouts + non2xx === 0 && counted.total > 0 ? 0 : 1;
}

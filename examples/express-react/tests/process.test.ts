// The server as it was built, as a process of its own.

import assert from "node:assert/strict";
import { type ChildProcess, spawn } from "node:child_process";
import { randomBytes } from "node:crypto";
import { once as event } from "node:events";
import { createServer } from "node:http";
import type { AddressInfo } from "node:net";
import { test, type TestContext } from "node:test";
import { fileURLToPath } from "node:url";
import { redis, schema } from "./services.ts";

const MAIN = fileURLToPath(new URL("../dist/server/main.js", import.meta.url));
const SECRET = randomBytes(32).toString("base64");

function run(t: TestContext, env: Record<string, string>, ...args: string[]) {
  const { PATH } = process.env;
  const child = spawn(process.execPath, [MAIN, ...args], { env: { PATH, PORT: "0", ...env }, stdio: ["ignore", "pipe", "pipe"] });
  t.after(() => child.kill("SIGKILL"));
  return child;
}

/** Where it listens, once it does. */
async function listening(child: ChildProcess): Promise<string> {
  for await (const text of child.stdout!) {
    const [base] = /http:\/\/localhost:\d+/.exec(String(text)) ?? [];
    if (base !== undefined) return base.replace("localhost", "127.0.0.1");
  }
  throw new Error("it ended before it listened");
}

async function ended(child: ChildProcess) {
  const said: string[] = [];
  child.stderr!.on("data", (text) => said.push(String(text)));
  const [code] = await event(child, "close");
  return { code, said: said.join("") };
}

test("users and sessions are there after a restart", async (t) => {
  const env = { ONCECODE_SECRET: SECRET, REDIS_URL: redis(), DATABASE_URL: await schema(t) };
  const first = run(t, env, "--development");
  const base = await listening(first);
  const post = (path: string, body: object) =>
    fetch(`${base}/api/auth${path}`, { method: "POST", headers: { "content-type": "application/json" }, body: JSON.stringify(body) });
  const phoneNumber = "9876543210";
  const { otp } = (await (await post("/otp/request", { phoneNumber })).json()) as { otp: string };
  const [cookie] = (await post("/otp/verify", { phoneNumber, otp })).headers.getSetCookie()[0]!.split(";");
  const vault = async (at: string) => (await (await fetch(`${at}/api/vault`, { headers: { cookie: cookie! } })).json()) as { user: { id: string } };
  const { user } = await vault(base);
  assert.ok(user.id);

  const end = ended(first);
  first.kill("SIGTERM");
  assert.deepEqual(await end, { code: 0, said: "" });
  assert.deepEqual((await vault(await listening(run(t, env, "--development")))).user, user);
});

test("what production lacks is said in a line", async (t) => {
  const sender = "twilio://AC1:12345@?from=%2B15551234567";
  for (const [env, missing] of [
    [{}, /REDIS_URL/],
    [{ ONCECODE_STORE: "memory:", ONCECODE_SENDER: sender }, /secret/],
    [{ ONCECODE_STORE: "memory:", ONCECODE_SENDER: sender, ONCECODE_SECRET: "short" }, /secret/],
    [{ ONCECODE_STORE: "memory:", ONCECODE_SECRET: SECRET }, /sender/],
    [{ ONCECODE_STORE: "memory:", ONCECODE_SECRET: SECRET, ONCECODE_SENDER: "console:" }, /console/],
  ] as [Record<string, string>, RegExp][]) {
    const { code, said } = await ended(run(t, { NODE_ENV: "production", ...env }, "--development"));
    assert.equal(code, 1);
    assert.match(said, /^Arogya Vault did not start: .*\n$/);
    assert.match(said, missing);
  }
});

test("a port that is taken, and a database that is away, are said in a line", async (t) => {
  const taken = createServer().listen(0, "127.0.0.1");
  await event(taken, "listening");
  t.after(() => taken.close());
  const port = String((taken.address() as AddressInfo).port);
  for (const [env, wrong] of [
    [{ PORT: port }, /EADDRINUSE/],
    [{ DATABASE_URL: "postgres://nobody@127.0.0.1:1/none" }, /ECONNREFUSED/],
  ] as [Record<string, string>, RegExp][]) {
    const { code, said } = await ended(run(t, env, "--development"));
    assert.equal(code, 1);
    assert.match(said, wrong);
    assert.equal(said.trim().split("\n").length, 1);
  }
});

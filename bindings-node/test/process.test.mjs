import assert from "node:assert/strict";
import { spawnSync } from "node:child_process";
import { once as event } from "node:events";
import { createRequire } from "node:module";
import { test } from "node:test";
import { Worker } from "node:worker_threads";
import * as esm from "oncecode";
import { SECRET, STORES, open, phone } from "./support.mjs";

const require = createRequire(import.meta.url);
const folder = require.resolve("..");

test("import and require give the same classes, by name and by path", async () => {
  const byPath = await import("../index.mjs");
  for (const other of [require("oncecode"), require(".."), byPath]) {
    for (const name of ["Oncecode", "OncecodeError", "ERROR_CODES"]) assert.equal(other[name], esm[name]);
  }
});

test("nothing else is exported", () => {
  assert.deepEqual(Object.keys(esm).sort(), ["ERROR_CODES", "Oncecode", "OncecodeError"]);
});

test("a module that is required anew has errors of its own class", async () => {
  const before = require("..");
  for (const path of Object.keys(require.cache)) if (path.includes("bindings-node")) delete require.cache[path];
  const anew = require("..");
  assert.notEqual(anew.OncecodeError, before.OncecodeError);
  for (const { Oncecode, OncecodeError } of [anew, before]) {
    const once = await Oncecode.open("memory:", { mode: "development", sender: "none:" });
    const error = await once.codes.peek({ purpose: "login" }).catch((thrown) => thrown);
    assert.ok(error instanceof OncecodeError && error.code === "INVALID_ARGUMENT");
    await once.close();
  }
});

for (const store of Object.keys(STORES)) {
  test(`a process with an open client ends by itself, on ${store}`, () => {
    assert.equal(run(`${CLIENT} await once.codes.peek({ to: "a@b.co", purpose: "x" }); console.log("used")`, STORES[store]()), "used");
  });

  test(`a call keeps the process alive until its end, on ${store}`, () => {
    assert.equal(run(`${CLIENT} once.purge(1).then((n) => console.log(typeof n))`, STORES[store]()), "number");
  });
}

test("a sender and events that come late keep the process alive as well", () => {
  const code = `const once = await Oncecode.open(process.argv[1], { mode: "development",
      sender: () => new Promise((r) => setImmediate(r)).then(() => console.log("sent")), events: (e) => console.log(e.name) });
    once.codes.issue({ to: "a@b.co", purpose: "x" }).then(() => console.log("issued"));`;
  assert.equal(run(code, "memory:"), "sent\nX_OTP_CREATED\nissued");
});

test("messages that are sent in the background keep the process alive", () => {
  const code = `const once = await Oncecode.open(process.argv[1], { mode: "development", sendInBackground: true,
      sender: () => new Promise((r) => setTimeout(r, 50)).then(() => console.log("sent")), events: (e) => console.log(e.name) });
    once.codes.issue({ to: "a@b.co", purpose: "x" }).then(() => console.log("issued"));`;
  assert.equal(run(code, "memory:"), "issued\nsent\nX_OTP_CREATED");
});

test("process.exit in the middle of calls is clean", () => {
  const code = `${CLIENT} for (let i = 0; i < 100; i++) once.purge(1); setImmediate(() => { console.log("bye"); process.exit(0); })`;
  for (const store of Object.values(STORES)) assert.equal(run(code, store()), "bye");
});

test("an unhandled refusal ends the process with its code and the caller in the stack", () => {
  const code = `${CLIENT} async function signIn() { await once.codes.verify({ to: "a@b.co", purpose: "x", code: "123456" }) } await signIn()`;
  const { status, stderr } = node(code, "memory:");
  assert.equal(status, 1);
  assert.match(stderr, /CODE_NOT_FOUND/);
  assert.match(stderr, /at async signIn/);
});

test("fromEnv opens what the environment names, with the app's own sender", () => {
  const code = `let code; const once = await Oncecode.fromEnv({ sender: (m) => void (code = m.code) });
    const { id } = await once.codes.issue({ to: "a@b.co", purpose: "x" });
    console.log((await once.codes.verify({ id, purpose: "x", code })).identifier)`;
  assert.equal(run(code, "", { ONCECODE_STORE: STORES.sqlite(), ONCECODE_SECRET: SECRET, NODE_ENV: "production" }), "a@b.co");
  const refused = `console.log(await Oncecode.fromEnv().catch((e) => e.code))`;
  assert.equal(run(refused, "", { NODE_ENV: "production" }), "CONFIG");
});

test("workers have clients of their own, share a store, and may be ended in the middle of calls", async (t) => {
  const url = STORES.sqlite();
  const once = await open(t, {}, url);
  const to = phone();
  const { code } = await once.codes.issue({ to, purpose: "login" });

  const workers = [1, 2, 3].map(() => new Worker(VERIFIES, { eval: true, workerData: { folder, url, to, code } }));
  const ends = workers.map((worker) => Promise.all([event(worker, "message"), event(worker, "exit")]));
  const said = (await Promise.all(ends)).map(([[message], [status]]) => `${message} ${status}`);
  assert.deepEqual(said.sort(), ["CODE_NOT_FOUND 0", "CODE_NOT_FOUND 0", "verified 0"]);

  for (const store of Object.values(STORES)) {
    const busy = new Worker(NEVER_ENDS, { eval: true, workerData: { folder, url: store() } });
    await event(busy, "message");
    await busy.terminate();
  }
  assert.equal(await once.codes.peek({ to, purpose: "login" }), null);
});

const CLIENT = `const once = await Oncecode.open(process.argv[1], { mode: "development", sender: "none:", deadlineMs: 5000 });`;

const VERIFIES = `
  const { parentPort, workerData: { folder, url, to, code } } = require("node:worker_threads");
  const { Oncecode, OncecodeError } = require(folder);
  (async () => {
    const once = await Oncecode.open(url, { mode: "development", sender: "none:", deadlineMs: 5000 });
    const verified = once.codes.verify({ to, purpose: "login", code });
    parentPort.postMessage(await verified.then(() => "verified", (e) => e instanceof OncecodeError && e.code));
  })();`;

const NEVER_ENDS = `
  const { parentPort, workerData: { folder, url } } = require("node:worker_threads");
  const { Oncecode } = require(folder);
  (async () => {
    const once = await Oncecode.open(url, { mode: "development", deadlineMs: 5000, sender: () => new Promise(() => {}), events() {} });
    once.codes.issue({ to: "a@b.co", purpose: "x" }).catch(() => {});
    const again = () => once.purge(1).then(again);
    for (let i = 0; i < 20; i++) again();
    await again;
    parentPort.postMessage("busy");
  })();`;

/** What a program prints that ends by itself, without an error. */
function run(code, url, env) {
  const { status, signal, stdout, stderr } = node(code, url, env);
  assert.deepEqual([status, signal, stderr], [0, null, ""]);
  return stdout.trim();
}

function node(code, url, env = {}) {
  const program = `import { Oncecode } from ${JSON.stringify(new URL("../index.mjs", import.meta.url))};\n${code}`;
  const { PATH, HOME } = process.env;
  const options = { encoding: "utf8", timeout: 20_000, env: { PATH, HOME, ...env } };
  return spawnSync(process.execPath, ["--input-type=module", "--eval", program, "--", url], options);
}

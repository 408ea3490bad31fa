// Which threads a call on Redis takes, and what is left of a thread that ends.
import assert from "node:assert/strict";
import { once as event } from "node:events";
import { readdirSync, readFileSync } from "node:fs";
import { dirname, join } from "node:path";
import { test } from "node:test";
import { fileURLToPath } from "node:url";
import { Worker } from "node:worker_threads";
import { open, phone, STORES } from "./support.mjs";

const folder = join(dirname(fileURLToPath(import.meta.url)), "..");

async function flow(once) {
  const to = phone();
  const { code } = await once.codes.issue({ to, purpose: "login" });
  await once.codes.verify({ to, purpose: "login", code });
}

test("a call on Redis wakes no other thread", async (t) => {
  const once = await open(t, {}, STORES.redis());
  await flow(once);
  const before = wakeUps();
  const begin = performance.now();
  for (let n = 0; n < 200; n++) await flow(once);
  const looks = (performance.now() - begin) / 50;
  assert.ok(wakeUps() - before < 40 + 2 * looks, "for 400 calls");
});

test("threads may end in the middle of calls on Redis, and leave no socket behind", async (t) => {
  const once = await open(t, {}, STORES.redis());
  await flow(once);
  const before = readdirSync("/proc/self/fd").length;
  for (const ends of ["terminated", "exit", "returns"]) {
    for (let n = 0; n < 3; n++) {
      const worker = new Worker(BUSY, { eval: true, workerData: { folder, url: STORES.redis(), first: phone(), ends } });
      const ended = event(worker, "exit");
      await event(worker, "message");
      if (ends === "terminated") await worker.terminate();
      const [status] = await ended;
      assert.equal(status, ends === "terminated" ? 1 : 0, ends);
      await flow(once);
    }
  }
  // Their connections are closed by the runtime, which need not have come to it yet.
  for (const begin = Date.now(); readdirSync("/proc/self/fd").length > before && Date.now() - begin < 10_000; ) await flow(once);
  assert.ok(readdirSync("/proc/self/fd").length <= before);
});

test("a host without libuv leaves sockets to the runtime", async () => {
  const worker = new Worker(ELSEWHERE, { eval: true, workerData: { folder, url: STORES.redis(), first: phone() } });
  const [[flows], [status]] = await Promise.all([event(worker, "message"), event(worker, "exit")]);
  assert.deepEqual([flows, status], [20, 0]);
});

/** How often the runtime's thread has slept. */
function wakeUps() {
  const tasks = readdirSync("/proc/self/task").map((task) => `/proc/self/task/${task}`);
  const ours = tasks.filter((task) => readFileSync(`${task}/comm`, "utf8").trim() === "oncecode");
  assert.equal(ours.length, 1);
  return Number(/^voluntary_ctxt_switches:\s+(\d+)/m.exec(readFileSync(`${ours[0]}/status`, "utf8"))[1]);
}

const ELSEWHERE = `
  Object.defineProperty(process, "versions", { value: { ...process.versions, bun: "1.3.0" } });
  const { parentPort, workerData: { folder, url, first } } = require("node:worker_threads");
  const { Oncecode } = require(folder);
  (async () => {
    const once = await Oncecode.open(url, { mode: "development", sender: "none:", deadlineMs: 5000 });
    const flow = async (to, purpose) => once.codes.verify({ to, purpose, code: (await once.codes.issue({ to, purpose })).code });
    const flows = await Promise.all(Array.from({ length: 20 }, (_, n) => flow("user" + n + first.slice(1) + "@example.com", "p")));
    await once.close();
    parentPort.postMessage(flows.length);
  })();`;

const BUSY = `
  const { parentPort, workerData: { folder, url, first, ends } } = require("node:worker_threads");
  const { Oncecode } = require(folder);
  (async () => {
    const once = await Oncecode.open(url, { mode: "development", sender: "none:", deadlineMs: 5000 });
    for (let n = 0; n < 3; n++) await once.codes.issue({ to: first, purpose: "p" + n });
    if (ends === "exit") {
      once.codes.issue({ to: first, purpose: "q" });
      parentPort.postMessage("busy");
      process.exit(0);
    }
    const peek = () => once.codes.peek({ to: first, purpose: "p0" });
    const again = () => peek().then(again);
    const peeks = Array.from({ length: 20 }, ends === "terminated" ? again : peek);
    parentPort.postMessage("busy");
    await Promise.all(peeks);
    await once.close();
  })();`;

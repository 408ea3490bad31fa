// Servers that freeze, die and come back: told in time, and used again without a restart.

import assert from "node:assert/strict";
import { execFileSync } from "node:child_process";
import { readFileSync } from "node:fs";
import { test } from "node:test";
import { open, phone, refusal, STORES } from "./support.mjs";

const DEADLINE = 500;
/** What a call may take at most, on a machine that has other things to do. */
const PATIENCE = 3_000;

/** How a client other than ours asks whether a server is back. */
const ASK = {
  redis: ({ port }) => ["redis-cli", ["-p", String(port), "ping"]],
  postgres: ({ url }) => ["psql", [url, "-XqAtc", "SELECT 1"]],
};

class Server {
  constructor(t, kind) {
    this.kind = kind;
    this.facts = services("start", kind);
    t.after(() => {
      this.signal("SIGCONT");
      services("stop", "--pid", String(this.facts.pid), "--dir", this.facts.dir);
    });
  }

  get url() {
    return this.facts.url;
  }

  /** The parent first: it makes no more children then. */
  signal(name) {
    const { pid } = this.facts;
    send(pid, name);
    let children = "";
    try {
      children = readFileSync(`/proc/${pid}/task/${pid}/children`, "utf8");
    } catch {
      // It is gone, and they end by themselves.
    }
    for (const child of children.split(" ").filter(Boolean)) send(Number(child), name);
  }

  freeze() {
    this.signal("SIGSTOP");
  }

  thaw() {
    this.signal("SIGCONT");
    execFileSync(...ASK[this.kind](this.facts), { timeout: 10_000 });
  }

  kill() {
    // Stopped, they make no more children between the two.
    this.signal("SIGSTOP");
    this.signal("SIGKILL");
  }

  restart() {
    const { port, dir } = this.facts;
    this.facts.pid = services("start", this.kind, "--port", String(port), "--dir", dir).pid;
  }
}

for (const kind of Object.keys(ASK)) {
  for (const [what, stops, returns] of [
    ["frozen", "freeze", "thaw"],
    ["killed", "kill", "restart"],
  ]) {
    test(`a ${kind} that is ${what} is told within the deadline, and the next call after its return works`, async (t) => {
      const server = new Server(t, kind);
      const once = await open(t, { deadlineMs: DEADLINE }, server.url);
      const to = phone();
      const { code } = await once.codes.issue({ to, purpose: "login" });

      server[stops]();
      const begin = Date.now();
      await Promise.all([
        unavailable(once.codes.issue({ to: phone(), purpose: "login" })),
        unavailable(once.codes.verify({ to, purpose: "login", code })),
        unavailable(once.codes.resend({ to, purpose: "login" })),
      ]);
      assert.ok(Date.now() - begin < PATIENCE, `it took ${Date.now() - begin} ms`);

      server[returns]();
      const sent = await once.codes.issue({ to: phone(), purpose: "login" });
      const { id } = sent;
      await once.codes.verify({ id, purpose: "login", code: sent.code });
      await assert.rejects(once.codes.verify({ id, purpose: "login", code: sent.code }), refusal("CODE_NOT_FOUND"));
    });
  }
}

/** What each preset does while the store is away; `strict` is one that was defined. */
const POLICIES = { auth: "local", email: "local", purchase: "local", search: "open", api: "open", strict: "closed" };

for (const [limit, policy] of Object.entries(POLICIES)) {
  test(`with a frozen redis the limit ${limit} is ${policy}`, async (t) => {
    const server = new Server(t, "redis");
    const strict = { max: 5, windowSeconds: 60, outage: "closed" };
    const once = await open(t, { deadlineMs: DEADLINE, limits: { strict } }, server.url);
    const hit = () => once.limits.hit({ limit, key: "ann" });
    const { max, degraded } = await hit();
    assert.equal(degraded, false);

    server.freeze();
    const begin = Date.now();
    const hits = await Promise.allSettled(Array.from({ length: max + 3 }, hit));
    assert.ok(Date.now() - begin < PATIENCE, `it took ${Date.now() - begin} ms`);
    const passed = hits.filter(({ value }) => value?.degraded === true).length;
    const codes = new Set(hits.filter(({ reason }) => reason).map(({ reason }) => reason.code));
    // What was counted in the store before is not known here: a process lets its own maximum pass.
    const expected = { local: [max, "RATE_LIMITED"], open: [max + 3], closed: [0, "STORE_UNAVAILABLE"] };
    assert.deepEqual([passed, ...codes], expected[policy]);

    server.thaw();
    const look = () => once.limits.peek({ limit, key: "ann" }).catch((error) => error);
    let seen = await look();
    // The breaker asks again in a moment.
    while (seen.degraded !== false) {
      await new Promise(setImmediate);
      seen = await look();
    }
    assert.ok(seen.remaining < max, "what was taken before the outage is not forgotten");
  });
}

test("calls go out, and their answers come, in time though the thread that made them computes on", async (t) => {
  const once = await open(t, { deadlineMs: DEADLINE }, STORES.redis());
  const to = phone();
  for (const purpose of ["login", "payment"]) {
    const sent = once.codes.issue({ to, purpose });
    for (const begin = Date.now(); Date.now() - begin < 2 * DEADLINE; );
    const { code } = await sent;
    await once.codes.verify({ to, purpose, code });
  }
});

function unavailable(call) {
  return assert.rejects(call, refusal("STORE_UNAVAILABLE", { status: 503, retryable: true }));
}

function send(pid, name) {
  try {
    process.kill(pid, name);
  } catch (error) {
    if (error.code !== "ESRCH") throw error;
  }
}

function services(...words) {
  const said = execFileSync(process.env.ONCECODE_TEST_SERVICES, words, { encoding: "utf8" });
  return said.trim() ? JSON.parse(said) : undefined;
}

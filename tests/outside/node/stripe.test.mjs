// The recipe for Stripe's webhooks, on headers that Stripe's own package makes for tests.

import assert from "node:assert/strict";
import { readFileSync } from "node:fs";
import { test } from "node:test";

import Stripe from "stripe";

import { Oncecode, OncecodeError } from "../../../bindings-node/index.mjs";

const PAGE = readFileSync(new URL("../../../docs/idempotency.md", import.meta.url), "utf8");
const SECRET = "whsec_of_the_tests";

const stripe = new Stripe("sk_test_of_nobody");

/** `webhook`, as the page has it. */
function recipe() {
  const [, program] = PAGE.match(/^```js\nimport Stripe from "stripe";\n([\s\S]*?)^```$/m);
  const body = program.replace(/^import .*\n/gm, "").replace("export async function", "return async function");
  return new Function("Stripe", "OncecodeError", "process", body)(Stripe, OncecodeError, {
    env: { STRIPE_SECRET_KEY: "sk_test_of_nobody" },
  });
}

function event(number) {
  return JSON.stringify({ id: `evt_${number}`, object: "event", type: "invoice.paid" });
}

function signed(payload, secret = SECRET) {
  return stripe.webhooks.generateTestHeaderString({ payload, secret });
}

async function open(t) {
  const once = await Oncecode.open("memory:", { mode: "development", sender: "none:" });
  t.after(() => once.close());
  return once;
}

test("an event is handled once, however often it comes", async (t) => {
  const [once, webhook, handled, payload] = [await open(t), recipe(), [], event(1)];
  const deliver = () => webhook(once, payload, signed(payload), SECRET, async ({ id }) => void handled.push(id));
  const answers = await Promise.all(Array.from({ length: 10 }, deliver));
  assert.deepEqual([handled, await deliver()], [["evt_1"], 200]);
  assert.ok(answers.includes(200) && answers.every((status) => status === 200 || status === 409), answers.join());
});

test("what Stripe has not signed is not handled", async (t) => {
  const [once, webhook, payload] = [await open(t), recipe(), event(2)];
  const old = stripe.webhooks.generateTestHeaderString({ payload, secret: SECRET, timestamp: 1_000_000_000 });
  for (const header of [signed(payload, "whsec_another"), signed(event(3)), old, "", "t=1,v1=00"]) {
    const handle = () => assert.fail("it must not be handled");
    assert.equal(await webhook(once, payload, header, SECRET, handle), 400, header);
  }
});

test("what fails is handled when it comes again", async (t) => {
  const [once, webhook, payload] = [await open(t), recipe(), event(4)];
  let tries = 0;
  const handle = async () => {
    if (++tries === 1) throw new Error("not now");
  };
  await assert.rejects(webhook(once, payload, signed(payload), SECRET, handle), /not now/);
  assert.equal(await webhook(once, payload, signed(payload), SECRET, handle), 200);
  assert.equal(tries, 2);
});

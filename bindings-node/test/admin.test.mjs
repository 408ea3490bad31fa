import assert from "node:assert/strict";
import { randomUUID } from "node:crypto";
import { test } from "node:test";

import { STORES, open, phone, refusal } from "./support.mjs";

test("a copy moves live codes, tells how far it is, and goes on from a cursor", async (t) => {
  const keyPrefix = `t-${randomUUID().slice(0, 13)}`;
  const [from, to] = [STORES.redis(), STORES.sqlite()];
  const old = await open(t, { keyPrefix }, from);
  const sent = [];
  for (let n = 0; n < 25; n++) {
    const number = phone();
    sent.push({ to: number, code: (await old.codes.issue({ to: number, purpose: "login" })).code });
  }
  const told = [];
  const interrupted = old.admin.copy({
    to,
    batch: 5,
    progress: async (soFar) => {
      told.push(soFar);
      if (told.length === 2) throw new Error("enough");
    },
  });
  await assert.rejects(interrupted, /enough/);
  const { cursor, challenges } = told[1];
  assert.ok(cursor && told[0].total >= 25 - challenges);
  const done = await old.admin.copy({ to, resumeFrom: cursor });
  assert.equal(challenges + done.challenges, 25);
  assert.deepEqual({ ...done, challenges: 0, known: 0 }, {
    challenges: 0, values: 0, known: 0, expired: 0, unreadable: 0, refused: 0,
  });
  const moving = await open(t, { keyPrefix }, `moving:${to}|${from}`);
  for (const { to: number, code } of sent) {
    const request = { to: number, purpose: "login", code };
    assert.equal((await moving.codes.verify(request)).identifier, number);
    await assert.rejects(moving.codes.verify(request), refusal("CODE_NOT_FOUND"));
  }
});

test("odd requests are refused with what to do", async (t) => {
  const once = await open(t);
  await assert.rejects(once.admin.copy({}), refusal("INVALID_ARGUMENT"));
  await assert.rejects(once.admin.copy({ to: "memory:", batch: 0 }), refusal("INVALID_ARGUMENT"));
  await assert.rejects(once.admin.copy({ to: "memory:", batch: 1.5 }), refusal("INVALID_ARGUMENT"));
  await assert.rejects(once.admin.copy({ to: "memory:", progress: 1 }), refusal("INVALID_ARGUMENT"));
  await assert.rejects(once.admin.copy({ to: "nowhere:" }), refusal("CONFIG"));
});

test("the purge option is read, and odd ones are refused", async (t) => {
  for (const purge of [false, true, null, {}, { intervalSeconds: 60 }, { batch: 10 }]) {
    await open(t, { purge }, STORES.sqlite());
  }
  for (const purge of ["often", { intervalSeconds: 0 }, { batch: 0 }, { every: 1 }]) {
    await assert.rejects(open(t, { purge }), refusal("CONFIG"));
  }
});

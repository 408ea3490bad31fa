// `once.totp` beside otplib.

import assert from "node:assert/strict";
import { test } from "node:test";

import { generateSecret, generateSync, verifySync } from "otplib";

import { Oncecode } from "../index.mjs";

const open = async (t) => {
  const once = await Oncecode.open("memory:", { mode: "development", sender: "none:" });
  t.after(() => once.close());
  return once;
};

test("each makes and accepts the codes of the other", async (t) => {
  const once = await open(t);
  for (const algorithm of ["SHA1", "SHA256", "SHA512"]) {
    for (const digits of [6, 7, 8]) {
      const { secret } = once.totp.enrol({ issuer: "Acme", account: "ann", algorithm, digits });
      for (const epoch of [59, 1_111_111_109, 2_000_000_000, 20_000_000_000]) {
        const theirs = { secret, epoch, digits, algorithm: algorithm.toLowerCase() };
        const ours = { secret, at: new Date(epoch * 1000), algorithm, digits };
        const code = generateSync(theirs);
        assert.equal(once.totp.code(ours), code);
        assert.equal(once.totp.check({ ...ours, code }), Math.floor(epoch / 30));
        assert.equal(verifySync({ ...theirs, token: once.totp.code(ours) }).valid, true);
      }
    }
  }
});

test("a code that otplib takes twice is taken once", async (t) => {
  const once = await open(t);
  const secret = generateSecret();
  const code = generateSync({ secret });
  await once.totp.verify({ user: "ann", secret, code });
  assert.equal(verifySync({ secret, token: code }).valid, true);
  await assert.rejects(once.totp.verify({ user: "ann", secret, code }), { code: "CODE_NOT_FOUND" });
});

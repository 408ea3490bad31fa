// Tokens, sessions and links as an app uses them; jose and jsonwebtoken as second opinions.

import assert from "node:assert/strict";
import { generateKeyPairSync } from "node:crypto";
import { test } from "node:test";
import { inspect } from "node:util";

import * as jose from "jose";
import jsonwebtoken from "jsonwebtoken";

import { STORES, open, refusal } from "./support.mjs";

const SECRET = "an HS256 secret for the tests only, 0123456789";

/** Our key, theirs to sign with, theirs to verify with. */
const KEYS = {
  HS256: () => ({ ours: SECRET, sign: SECRET, verify: SECRET }),
  ES256: () => pair("ec", { namedCurve: "P-256" }),
  EdDSA: () => pair("ed25519"),
  RS256: () => pair("rsa", { modulusLength: 2048 }),
};

function pair(kind, options) {
  const { privateKey, publicKey } = generateKeyPairSync(kind, options);
  return { ours: { pem: privateKey.export({ type: "pkcs8", format: "pem" }) }, sign: privateKey, verify: publicKey };
}

for (const [alg, make] of Object.entries(KEYS)) {
  test(`jose verifies our ${alg} tokens and we verify its`, async (t) => {
    const { ours, sign, verify } = make();
    const once = await open(t, { tokens: { keys: [ours], issuer: "us", audience: "app" } });
    const key = (given) => (typeof given === "string" ? new TextEncoder().encode(given) : given);
    const token = await once.tokens.sign({ sub: "ann", role: "admin" }, { ttlSeconds: 60 });
    const { payload } = await jose.jwtVerify(token, key(verify), { issuer: "us", audience: "app", algorithms: [alg] });
    assert.deepEqual([payload.sub, payload.role, payload.exp - payload.iat], ["ann", "admin", 60]);
    const theirs = await new jose.SignJWT({ deep: [1, { a: null }] })
      .setProtectedHeader({ alg }).setSubject("ann").setIssuer("us").setAudience("app").setExpirationTime("1m").sign(key(sign));
    assert.deepEqual((await once.tokens.verify(theirs)).deep, [1, { a: null }]);
    assert.equal(once.tokens.verifyStateless(theirs).sub, "ann");
  });

  // jsonwebtoken has no EdDSA.
  if (alg === "EdDSA") continue;
  test(`jsonwebtoken verifies our ${alg} tokens and we verify its`, async (t) => {
    const { ours, sign, verify } = make();
    const once = await open(t, { tokens: { keys: [ours] } });
    const token = await once.tokens.sign({ sub: "ann", role: "admin" });
    assert.equal(jsonwebtoken.verify(token, verify, { algorithms: [alg] }).role, "admin");
    assert.equal(jsonwebtoken.verify(once.tokens.signStateless({ sub: "ann" }), verify).sub, "ann");
    const theirs = jsonwebtoken.sign({ sub: "ann", role: "admin" }, sign, { algorithm: alg, expiresIn: 60 });
    assert.equal((await once.tokens.verify(theirs)).role, "admin");
    const late = jsonwebtoken.sign({ sub: "ann" }, sign, { algorithm: alg, expiresIn: -1 });
    await assert.rejects(once.tokens.verify(late), refusal("TOKEN_EXPIRED", { status: 401 }));
    const early = jsonwebtoken.sign({ sub: "ann" }, sign, { algorithm: alg, expiresIn: 60, notBefore: 30 });
    await assert.rejects(once.tokens.verify(early), refusal("TOKEN_INVALID"));
  });
}

test("jose verifies ours by our JWK Set", async (t) => {
  const once = await open(t, { tokens: { keys: [KEYS.ES256().ours, KEYS.EdDSA().ours, SECRET] } });
  const keys = jose.createLocalJWKSet(once.tokens.jwks());
  const { payload } = await jose.jwtVerify(await once.tokens.sign({ sub: "ann" }), keys);
  assert.equal(payload.sub, "ann");
  assert.ok(!JSON.stringify(once.tokens.jwks()).includes("HS256"));
});

test("jsonwebtoken's unsigned tokens are refused", async (t) => {
  const once = await open(t, { tokens: { keys: [SECRET] } });
  const unsigned = jsonwebtoken.sign({ sub: "ann" }, "", { algorithm: "none", expiresIn: 60 });
  await assert.rejects(once.tokens.verify(unsigned), refusal("TOKEN_INVALID"));
  assert.throws(() => once.tokens.verifyStateless(unsigned), refusal("TOKEN_INVALID"));
});

for (const [name, url] of Object.entries(STORES)) {
  test(`sessions, tokens and links on ${name}`, async (t) => {
    const once = await open(t, { keyPrefix: `t${process.pid}-${Date.now()}` }, url());
    const { token, session } = await once.sessions.create({ userId: "ann", device: "phone", data: { a: [1] } });
    const found = await once.sessions.validate(token, { ip: "192.0.2.1" });
    assert.deepEqual([found.id, found.userId, found.device, found.data], [session.id, "ann", "phone", { a: [1] }]);
    assert.ok(found.createdAt <= found.lastActiveAt && found.lastActiveAt < found.expiresAt);
    const rotated = await once.sessions.rotate(token);
    await assert.rejects(once.sessions.validate(token), refusal("SESSION_NOT_FOUND", { status: 401 }));
    assert.equal((await once.sessions.list("ann")).length, 1);
    assert.equal(await once.sessions.revoke({ token: rotated.token }), true);
    assert.equal(await once.sessions.revoke({ userId: "ann", id: session.id }), false);

    const jwt = await once.tokens.sign({ sub: "ann" });
    assert.equal((await once.tokens.verify(jwt)).sub, "ann");
    await once.tokens.revokeAll("ann");
    await assert.rejects(once.tokens.verify(jwt), refusal("TOKEN_REVOKED"));

    const link = once.links.issue({ to: "ann@example.com", purpose: "verify", url: "https://app.example/v" });
    assert.equal(link.url, `https://app.example/v?token=${link.token}`);
    assert.equal((await once.links.verify({ token: link.token, purpose: "verify" })).identifier, "ann@example.com");
    await assert.rejects(once.links.verify({ token: link.token, purpose: "verify" }), refusal("LINK_INVALID"));
  });
}

test("wrong types are refused, at once where there is nothing to await", async (t) => {
  const once = await open(t);
  const wrong = refusal("INVALID_ARGUMENT");
  await assert.rejects(once.sessions.create({ userId: 7 }), wrong);
  await assert.rejects(once.sessions.create({ userId: "ann", ttlSeconds: "1" }), wrong);
  await assert.rejects(once.sessions.create({ userId: "ann", ttlSeconds: NaN }), wrong);
  await assert.rejects(once.sessions.validate(), wrong);
  await assert.rejects(once.sessions.revoke({}), wrong);
  await assert.rejects(once.tokens.sign([]), wrong);
  await assert.rejects(once.tokens.sign({ a: 1n }), wrong);
  await assert.rejects(once.tokens.verify(Buffer.from("a.b.c")), wrong);
  assert.throws(() => once.tokens.signStateless("claims"), wrong);
  assert.throws(() => once.links.issue({ to: "ann@example.com" }), wrong);
  assert.throws(() => once.sessions.cookie("a;b"), wrong);
});

test("keys that cannot work stop the start and are not repeated", async (t) => {
  for (const key of ["short", { pem: "no pem" }, { jwk: { kty: "oct", k: "c2hvcnQ" } }, {}, { secret: SECRET, pem: "x" }]) {
    await assert.rejects(open(t, { tokens: { keys: [key] } }), (error) => {
      assert.equal(error.code, "CONFIG");
      assert.ok(!inspect(error).includes(SECRET) && !inspect(error).includes("c2hvcnQ"));
      return true;
    });
  }
});

test("a closed client computes nothing", async (t) => {
  const once = await open(t);
  await once.close();
  assert.throws(() => once.tokens.signStateless({}), refusal("CLOSED"));
  await assert.rejects(once.tokens.verify("a.b.c"), refusal("CLOSED"));
});

// The bridge is what Upstash's own client takes it for.

import assert from "node:assert/strict";
import { randomUUID } from "node:crypto";
import { test } from "node:test";

import { Redis } from "@upstash/redis";

const address = new URL((process.env.ONCECODE_TEST_UPSTASH ?? "").replace(/^upstash\+/, ""));
const token = decodeURIComponent(address.password);
const url = address.origin;

const client = (more = {}) => new Redis({ url, token, retry: false, enableTelemetry: false, ...more });
const redis = client();

/** A key of the test's own, which does not outlive it. */
function key(t) {
  const name = `upstash-test:${randomUUID()}`;
  t.after(() => redis.del(name));
  return name;
}

test("values come back as they were", async (t) => {
  const name = key(t);
  for (const value of ["text", "OK", "", "naïve 🙂 \u0000 \" \\ \n", 42, { a: [1, null, { b: true }] }]) {
    assert.equal(await redis.set(name, value), "OK");
    assert.deepEqual(await redis.get(name), value);
  }
  assert.equal(await redis.get(`${name}-absent`), null);
});

test("without base64 texts come as they are", async (t) => {
  const name = key(t);
  const plain = client({ responseEncoding: false });
  await plain.set(name, "naïve");
  assert.equal(await plain.get(name), "naïve");
  assert.deepEqual(await plain.mget(name, `${name}-absent`), ["naïve", null]);
});

test("options, numbers, lists and hashes are understood", async (t) => {
  const [name, list, hash] = [key(t), key(t), key(t)];
  assert.equal(await redis.set(name, 1, { px: 60_000, nx: true }), "OK");
  assert.equal(await redis.set(name, 2, { nx: true }), null);
  assert.equal(await redis.incrby(name, -5), -4);
  assert.ok((await redis.pttl(name)) > 50_000);
  assert.equal(await redis.rpush(list, "a", "b", "c"), 3);
  assert.deepEqual(await redis.lrange(list, 0, -1), ["a", "b", "c"]);
  await redis.hset(hash, { one: "1", two: "zwei" });
  assert.deepEqual(await redis.hgetall(hash), { one: 1, two: "zwei" });
  assert.equal(await redis.ping(), "PONG");
});

test("scripts run by source and by digest, and an unknown one is refused", async (t) => {
  const name = key(t);
  const source = "redis.call('SET', KEYS[1], ARGV[1]) return {redis.call('GET', KEYS[1]), {1, 'OK', false}, ARGV[2]}";
  assert.deepEqual(await redis.eval(source, [name], ["value", "é"]), ["value", [1, "OK", null], "é"]);
  const digest = await redis.scriptLoad(source);
  assert.deepEqual(await redis.scriptExists(digest, "0".repeat(40)), [1, 0]);
  assert.deepEqual(await redis.evalsha(digest, [name], ["again", "x"]), ["again", [1, "OK", null], "x"]);
  await assert.rejects(redis.evalsha("0".repeat(40), [], []), /NOSCRIPT/);
  const script = redis.createScript(`return ARGV[1] .. '${randomUUID()}'`);
  assert.match(await script.exec([], ["a-"]), /^a-/);
});

test("a pipeline answers a command each, failed ones too", async (t) => {
  const [name, list] = [key(t), key(t)];
  const pipeline = redis.pipeline().set(name, "text").incr(name).rpush(list, 1).get(name);
  const [set, incr, push, get] = await pipeline.exec({ keepErrors: true });
  assert.equal(set.result, "OK");
  assert.match(incr.error, /not an integer/);
  assert.deepEqual([push.result, get.result], [1, "text"]);
});

test("a transaction happens whole or not at all", async (t) => {
  const [name, other] = [key(t), key(t)];
  assert.deepEqual(await redis.multi().set(name, 1).incr(name).get(name).exec(), ["OK", 2, 2]);
  const bad = ["SET", other, "1", "NONSENSE", "EX"];
  const whole = await raw("/multi-exec", [["SET", other, "1"], ["NO-SUCH-COMMAND"]]);
  assert.equal(whole.status, 400);
  assert.match((await whole.json()).error, /EXECABORT/);
  assert.equal(await redis.get(other), null);
  const parts = await (await raw("/multi-exec", [["SET", other, "1"], bad, ["INCR", other]])).json();
  assert.deepEqual([parts[0].result, parts[2].result], ["OK", 2]);
  assert.match(parts[1].error, /syntax error/);
});

test("an error of the command is one of the client's own", async (t) => {
  const name = key(t);
  await redis.set(name, "text");
  await assert.rejects(redis.incr(name), { name: "UpstashError", message: /not an integer/ });
  await assert.rejects(redis.exec(["NO-SUCH-COMMAND"]), { name: "UpstashError", message: /unknown command/ });
});

test("no endpoint serves a wrong token", async () => {
  const stranger = client({ token: `${token.slice(0, -1)}!` });
  for (const call of [
    () => stranger.get("a"),
    () => stranger.pipeline().get("a").exec(),
    () => stranger.multi().get("a").exec(),
  ]) {
    await assert.rejects(call, { name: "UpstashError", message: /WRONGPASS/ });
  }
  for (const path of ["/", "/get/a", "/pipeline", "/multi-exec", "/get/a?_token=wrong"]) {
    const response = await raw(path, ["GET", "a"], {});
    assert.deepEqual([path, response.status], [path, 401]);
  }
});

test("a command may stand in the path, with the token in the query", async (t) => {
  const name = key(t);
  const ask = async (path, body) => {
    const query = `${path.includes("?") ? "&" : "?"}_token=${encodeURIComponent(token)}`;
    const method = body === undefined ? "GET" : "POST";
    return (await fetch(`${url}${path}${query}`, { method, body })).json();
  };
  assert.deepEqual(await ask(`/set/${name}/a%2Fb%20c`), { result: "OK" });
  assert.deepEqual(await ask(`/get/${name}`), { result: "a/b c" });
  assert.deepEqual(await ask(`/set/${name}?EX=100`, "from the body"), { result: "OK" });
  assert.deepEqual(await ask(`/get/${name}`), { result: "from the body" });
  assert.ok((await ask(`/ttl/${name}`)).result > 90);
});

test("every answer says how much has been written", async (t) => {
  const name = key(t);
  await redis.set(name, 1);
  const first = redis.readYourWritesSyncToken;
  await redis.set(name, 2);
  assert.ok(first);
  assert.notEqual(redis.readYourWritesSyncToken, first);
});

test("what is no command is refused", async () => {
  for (const [path, body] of [
    ["/", {}],
    ["/", []],
    ["/", [["GET", "a"]]],
    ["/pipeline", ["GET", "a"]],
    ["/pipeline", []],
    ["/multi-exec", [[]]],
  ]) {
    const response = await raw(path, body);
    assert.deepEqual([path, body, response.status], [path, body, 400]);
    assert.match((await response.json()).error, /^ERR /);
  }
});

function raw(path, body, headers = { Authorization: `Bearer ${token}` }) {
  return fetch(`${url}${path}`, { method: "POST", headers, body: JSON.stringify(body) });
}

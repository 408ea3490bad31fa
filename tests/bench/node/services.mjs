// `node services.mjs REDIS_URL SECONDS ROUNDS`: tokens, limits and sessions beside what people use today, in turns.
// Prints JSON: { "what|contestant": [calls a second, a round each] }.
import { createSecretKey } from "node:crypto";

import { createVerifier } from "fast-jwt";
import { Redis } from "ioredis";
import jsonwebtoken from "jsonwebtoken";
import { RateLimiterRedis } from "rate-limiter-flexible";

import { Oncecode } from "../../../bindings-node/index.mjs";

const [url, seconds, rounds] = [process.argv[2], Number(process.argv[3]), Number(process.argv[4])];
const secret = "a secret of thirty-two bytes or more!";
const options = { secret, sender: () => {}, tokens: { keys: [secret] }, deadlineMs: 5_000, keyPrefix: "bench-services" };
const plenty = { max: 1_000_000, windowSeconds: 3600 };
const once = await Oncecode.open(url, { ...options, mode: "development", limits: { plenty } });

const token = await once.tokens.sign({ sub: "user-1", role: "member", email_verified: true });
const fast = createVerifier({ key: secret, algorithms: ["HS256"], cache: false });
const key = createSecretKey(Buffer.from(secret));
const redis = new Redis(url, { enableAutoPipelining: true });
const flexible = new RateLimiterRedis({
  storeClient: redis,
  points: plenty.max,
  duration: plenty.windowSeconds,
  keyPrefix: "bench-flexible",
});
const session = await once.sessions.create({ userId: "user-1", device: "bench" });
const users = Array.from({ length: 1000 }, (_, at) => `user-${at}`);
let turn = 0;
const user = () => users[turn++ % users.length];

/** What is called, how many at once, and whether there is anything to wait for. */
const CONTESTS = {
  "HS256 verify|fast-jwt": [1, () => fast(token), "at once"],
  "HS256 verify|jsonwebtoken": [1, () => jsonwebtoken.verify(token, key, { algorithms: ["HS256"] }), "at once"],
  "HS256 verify|oncecode": [1, () => once.tokens.verifyStateless(token), "at once"],
  "verify, not revoked|oncecode": [1, () => once.tokens.verify(token)],
  "limit hit|rate-limiter-flexible": [16, () => flexible.consume(user())],
  "limit hit|oncecode": [16, () => once.limits.hit({ limit: "plenty", key: user() })],
  "session check|oncecode": [16, () => once.sessions.validate(session.token)],
};

const results = Object.fromEntries(Object.keys(CONTESTS).map((name) => [name, []]));
for (let round = -1; round < rounds; round++) {
  for (const [name, [lanes, call, atOnce]] of Object.entries(CONTESTS)) {
    const measured = atOnce ? repeated(call, round < 0 ? 0.2 : seconds) : await inLanes(lanes, call, round < 0 ? 0.2 : seconds);
    // The first is a warm-up.
    if (round >= 0) results[name].push(measured);
  }
}
console.log(JSON.stringify(results));
await once.close();
await redis.quit();

function repeated(call, duration) {
  const [begin, end] = [performance.now(), performance.now() + duration * 1e3];
  let calls = 0;
  for (; performance.now() < end; calls += 100) for (let n = 0; n < 100; n++) call();
  return (calls * 1e3) / (performance.now() - begin);
}

async function inLanes(lanes, call, duration) {
  const [begin, end] = [performance.now(), performance.now() + duration * 1e3];
  let calls = 0;
  const lane = async () => {
    for (; performance.now() < end; calls++) await call();
  };
  await Promise.all(Array.from({ length: lanes }, lane));
  return (calls * 1e3) / (performance.now() - begin);
}

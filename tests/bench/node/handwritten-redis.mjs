// The pattern of redis-memcached-otp.md: one awaited command after the other, the code in clear.
import { randomInt } from "node:crypto";
import { createClient } from "redis";
import { check, contest } from "./harness.mjs";

await contest(async (url) => {
  const redis = await createClient({ url }).connect();

  async function issue(phone) {
    const resends = await redis.incr(`resend:${phone}`);
    if (resends === 1) await redis.expire(`resend:${phone}`, 300);
    check(resends <= 3, "too many resends");
    const code = randomInt(100000, 999999).toString();
    await redis.setEx(`otp:phone:${phone}`, 600, code);
    return code;
  }

  async function verify(phone, code) {
    const stored = await redis.get(`otp:phone:${phone}`);
    check(stored, "expired or not found");
    const attempts = await redis.incr(`attempts:${phone}`);
    check(attempts <= 5, "too many attempts");
    check(stored === code, "wrong code");
    await redis.del([`otp:phone:${phone}`, `attempts:${phone}`]);
  }

  return {
    flow: async (phone) => verify(phone, await issue(phone)),
    close: () => redis.close(),
  };
});

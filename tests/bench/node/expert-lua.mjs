// What an expert would write: autopipelining, one script for issue and one for verify, only a keyed digest at rest.
import { createHmac, createSecretKey, randomBytes, randomInt } from "node:crypto";
import { readFileSync } from "node:fs";
import { Redis } from "ioredis";
import { check, contest } from "./harness.mjs";

const key = createSecretKey(randomBytes(32));
const digest = (phone, code) => createHmac("sha256", key).update(`login:${phone}:${code}`).digest("base64url");
const script = (name) => ({ numberOfKeys: 1, lua: readFileSync(new URL(`../lua/${name}.lua`, import.meta.url), "utf8") });

await contest(async (url) => {
  const redis = new Redis(url, {
    enableAutoPipelining: true,
    scripts: { issueCode: script("issue"), verifyCode: script("verify") },
  });

  return {
    async flow(phone) {
      const code = String(randomInt(1_000_000)).padStart(6, "0");
      const [issued] = await redis.issueCode(`otp:{${phone}}`, digest(phone, code), 600_000, 60_000, 900_000, 3);
      check(issued === "ok", issued);
      const [verified] = await redis.verifyCode(`otp:{${phone}}`, digest(phone, code), 5);
      check(verified === "ok", verified);
    },
    close: () => redis.quit(),
  };
});

// Compiled, never run: `tsc --noEmit` fails when a public type changes.

import {
  type Begun,
  type CacheEntry,
  type Challenge,
  ERROR_CODES,
  type Enrolment,
  type Health,
  type Lock,
  type Message,
  Oncecode,
  OncecodeError,
  type OncecodeErrorCode,
  type OncecodeEvent,
  type OncecodeEventKind,
  type OncecodeOptions,
  type Reply,
  type Sent,
  type TotpAccepted,
  type Verified,
} from "oncecode";

type Same<A, B> = (<T>() => T extends A ? 1 : 2) extends <T>() => T extends B ? 1 : 2 ? true : false;
function same<A, B>(_: Same<A, B>): void {}

const once = await Oncecode.open("memory:");
same<typeof once, Oncecode>(true);

const sent = await once.codes.issue({ to: "+15551234567", purpose: "login", ip: undefined, data: { any: ["json", 1, null] } });
same<typeof sent, Sent>(true);
same<(typeof sent)["expiresAt"], Date>(true);
same<(typeof sent)["code"], string | undefined>(true);

const verified = await once.codes.verify({ id: sent.id, purpose: "login", code: "012345" });
same<typeof verified, Verified>(true);
same<(typeof verified)["data"], unknown>(true);
same<Awaited<ReturnType<typeof once.codes.resend>>, Sent>(true);
same<Awaited<ReturnType<typeof once.codes.cancel>>, boolean>(true);
same<Awaited<ReturnType<typeof once.codes.peek>>, Challenge | null>(true);
same<Awaited<ReturnType<typeof once.purge>>, number>(true);
same<Awaited<ReturnType<typeof once.close>>, void>(true);
const health = await once.health();
same<typeof health, Health>(true);
same<(typeof health)["breaker"], "closed" | "open" | "half_open" | undefined>(true);
same<(typeof health)["since"], Date | undefined>(true);
same<(typeof health)["error"], OncecodeErrorCode | undefined>(true);
same<OncecodeEvent["kind"], OncecodeEventKind>(true);
same<OncecodeEvent["purpose"], string | undefined>(true);
same<Awaited<ReturnType<typeof Oncecode.fromEnv>>, Oncecode>(true);

const lock = await once.locks.acquire({ name: "a", ttlSeconds: 30, waitSeconds: 1, renew: true });
same<typeof lock, Lock>(true);
same<typeof lock.fence, number>(true);
same<typeof lock.signal, AbortSignal>(true);
same<Awaited<ReturnType<typeof once.locks.tryAcquire>>, Lock | null>(true);
same<Awaited<ReturnType<typeof lock.release>>, boolean>(true);
same<number, Awaited<ReturnType<typeof held>>>(true);
function held() {
  return once.locks.hold({ name: "a", ttlSeconds: 30 }, async (lock) => lock.fence);
}
const begun = await once.idempotency.begin({ scope: "a", key: "b" });
same<typeof begun, Begun>(true);
if (begun.replayed) same<typeof begun.value, unknown>(true);
else await begun.complete({ any: 1 });
const ran = await once.idempotency.run({ scope: "a", key: "b" }, async () => "text");
same<typeof ran, Reply<string>>(true);
const charge = once.idempotency.idempotent({ scope: "a", key: (id: string) => id }, async (id: string) => id.length);
same<ReturnType<typeof charge>, Promise<number>>(true);
const user = await once.cache.getOrLoad({ key: "a", ttlSeconds: 60 }, async () => ({ name: "Ann" }));
same<typeof user, { name: string } | null>(true);
const entry = await once.cache.get<number>({ key: "a", version: 2 });
same<typeof entry, CacheEntry<number> | null>(true);
same<Awaited<ReturnType<typeof once.cache.invalidate>>, boolean>(true);
const enrolled = once.totp.enrol({ issuer: "a", account: "b", algorithm: "SHA256", digits: 8 });
same<typeof enrolled, Enrolment>(true);
same<ReturnType<typeof once.totp.check>, number | null>(true);
same<ReturnType<typeof once.totp.qrPng>, Buffer>(true);
same<Awaited<ReturnType<typeof once.totp.verify>>, TotpAccepted>(true);
// @ts-expect-error: no such algorithm
once.totp.enrol({ issuer: "a", account: "b", algorithm: "MD5" });
// @ts-expect-error: a lock has a lease
await once.locks.acquire({ name: "a" });
// @ts-expect-error: a key has a scope
await once.idempotency.begin({ key: "b" });

const options: OncecodeOptions = {
  secret: ["new", "old"],
  indexSecret: "index",
  mode: "development",
  policy: { codeLength: 8, issueLimit: false, verifyLimit: { max: 1, windowSeconds: 60 }, resend: "keep" },
  purposes: { signup: { ttlSeconds: 60 } },
  sender: async (message) => same<typeof message, Message>(true),
  events: (event) => same<typeof event, OncecodeEvent>(true),
  messages: { login: { hi: { sms: "{code}", link: { text: "{link}" } } } },
  locale: "hi",
  domain: ["shop.example", "bank.example"],
  deadlineMs: 100,
  breaker: { failures: 3, probeIntervalMs: 500 },
  maxConnections: 2,
};
await Oncecode.open("memory:", options);
await Oncecode.open("memory:", { sender: "console:", secret: process.env["ONCECODE_SECRET"] });
await Oncecode.open("memory:", { breaker: false });
await Oncecode.fromEnv({ sender: () => {} });

const error = new OncecodeError("COOLDOWN", "wait", { retryAfterSeconds: 3 });
same<typeof error.code, OncecodeErrorCode>(true);
same<typeof error.status, number>(true);
same<typeof error.retryable, boolean>(true);
same<typeof error.retryAfterSeconds, number | undefined>(true);
same<typeof error.attemptsLeft, number | undefined>(true);
same<(typeof ERROR_CODES)[number], OncecodeErrorCode>(true);
const asError: Error = error;
void asError;

// @ts-expect-error: the purpose is missing
await once.codes.issue({ to: "+15551234567" });
// @ts-expect-error: a code is a string, or its leading zeros would be lost
await once.codes.verify({ to: "+15551234567", purpose: "login", code: 12345 });
// @ts-expect-error: no such mode
await Oncecode.open("memory:", { mode: "testing" });
// @ts-expect-error: no such option
await Oncecode.open("memory:", { secrets: "x" });
// @ts-expect-error: no such code
new OncecodeError("NOPE", "");
// @ts-expect-error: clients are opened
new Oncecode();
// @ts-expect-error: results are read only by contract of the class
once.codes = once.codes;

import { Admin } from "./admin.cjs";
import { wholeNumber } from "./arguments.cjs";
import { Connection, values } from "./bridge.cjs";
import { Cache } from "./cache.cjs";
import { Codes } from "./codes.cjs";
import { type Health, health } from "./health.cjs";
import { Idempotency } from "./idempotency.cjs";
import { Locks } from "./locks.cjs";
import { Limits } from "./limits.cjs";
import { Totp } from "./totp.cjs";
import { Links } from "./links.cjs";
import { type OncecodeOptions, hooksOnly, split, storeUrl } from "./options.cjs";
import { Delivery } from "./delivery.cjs";
import { Sessions } from "./sessions.cjs";
import { Tokens } from "./tokens.cjs";

export { ERROR_CODES, OncecodeError } from "./errors.cjs";
export type { OncecodeErrorCode, OncecodeErrorDetails } from "./errors.cjs";
export type { Admin, Copied, CopyRequest } from "./admin.cjs";
export type { Cache, CacheEntry, CacheKey, CacheRequest, CacheSetRequest } from "./cache.cjs";
export type { Challenge, Codes, IssueRequest, ResendRequest, Sent, Target, Verified, VerifyRequest } from "./codes.cjs";
export type { Delivery, DeliveryState, DeliveryStatus, StatusRequest } from "./delivery.cjs";
export type { Health } from "./health.cjs";
export type {
  Begun,
  Claim,
  ClaimToken,
  Idempotency,
  IdempotencyOptions,
  IdempotencyRequest,
  IdempotentOptions,
  Reply,
} from "./idempotency.cjs";
export type { Lock, LockRequest, Locks, LockToken, TryLockRequest } from "./locks.cjs";
export type { HitRequest, LimitDefinition, LimitPart, Limits, Quota, Subject } from "./limits.cjs";
export type { Enrolment, OtpSettings, RecoveryCodes, Totp, TotpAccepted, TotpCode, TotpRequest } from "./totp.cjs";
export type { Followed, Link, LinkRequest, LinkTarget, Links, SendLinkRequest } from "./links.cjs";
export type { LinkOptions, LinkTemplates, MessageTemplates, SessionOptions, TokenKey, TokenOptions, UsersOptions } from "./options.cjs";
export type { NewSession, Session, SessionRequest, SessionTarget, Sessions } from "./sessions.cjs";
export type { JwkSet, SignOptions, TokenClaims, Tokens } from "./tokens.cjs";
export type {
  BackgroundOptions,
  BreakerOptions,
  LimitOptions,
  Message,
  OncecodeEvent,
  OncecodeEventKind,
  OncecodeOptions,
  PolicyOptions,
  PurgeOptions,
  SenderOption,
  SendMessage,
  TestCodeOptions,
  WebhookOptions,
} from "./options.cjs";

/**
 * A client: one store, one sender, one set of rules. Open one per process and share it.
 *
 * ```js
 * const once = await Oncecode.open("redis://localhost:6379", { secret: process.env.ONCECODE_SECRET, sender });
 * const { id } = await once.codes.issue({ to: "+15551234567", purpose: "login", ip: req.ip });
 * await once.codes.verify({ to: "+15551234567", id, purpose: "login", code: "012345" }); // throws unless it is right
 * ```
 *
 * An open client does not keep the process alive; a call that waits for its end does.
 */
export class Oncecode {
  /** One-time codes: issue, verify, resend, cancel, peek. */
  readonly codes: Codes;
  /** Locks across processes: acquire, tryAcquire, hold, extend, release. */
  readonly locks: Locks;
  /** Work that is done once for each key, and its reply replayed: run, idempotent, begin, complete, abandon. */
  readonly idempotency: Idempotency;
  /** Rate limits: define, hit, peek, refund, reset. */
  readonly limits: Limits;
  /** Values that are costly to make: get, set, getOrLoad, invalidate. */
  readonly cache: Cache;
  /** Codes of authenticator apps: enrol, verify, recovery codes. */
  readonly totp: Totp;
  /** Sessions: create, validate, rotate, list, revoke. */
  readonly sessions: Sessions;
  /** Tokens (JWT) that can be revoked: sign, verify, revoke. */
  readonly tokens: Tokens;
  /** Links for email: issue, verify, peek. */
  readonly links: Links;
  /** What becomes of messages: status callbacks. */
  readonly sender: Delivery;
  /** Moving to another store: copy. */
  readonly admin: Admin;
  readonly #connection: Connection;

  private constructor(connection: Connection) {
    if (!(connection instanceof Connection)) throw new TypeError("use `await Oncecode.open(url, options)`");
    this.#connection = connection;
    this.codes = new Codes(connection);
    this.admin = new Admin(connection);
    this.locks = new Locks(connection);
    this.idempotency = new Idempotency(connection);
    this.limits = new Limits(connection);
    this.cache = new Cache(connection);
    this.totp = new Totp(connection);
    this.sessions = new Sessions(connection);
    this.tokens = new Tokens(connection);
    this.links = new Links(connection);
    this.sender = new Delivery(connection);
  }

  /**
   * Checks the options, connects, and creates or updates tables where the store has them.
   *
   * @param url `memory:`, `sqlite:PATH`, `postgres://…`, `mysql://…`, `redis://…`, `rediss://…` …, or
   *   `fallback:FIRST|SECOND` of two of them.
   * @throws OncecodeError `CONFIG` for a URL or options that cannot work; `STORE_UNAVAILABLE` when the store does not
   * answer.
   */
  static async open(url: string, options: OncecodeOptions = {}): Promise<Oncecode> {
    const store = storeUrl(url);
    const { json, hooks } = split(options);
    const connection = new Connection(hooks);
    values(await connection.ask((client, call) => client.open(call, store, json, hooks.sends.length, !!hooks.tell)));
    return new Oncecode(connection);
  }

  /**
   * Opens what the process's environment names: `ONCECODE_STORE`, `ONCECODE_SECRET`, `ONCECODE_SENDER`, `ONCECODE_MODE`,
   * and the names that apps already have (`REDIS_URL`, `UPSTASH_REDIS_REST_URL` and `_TOKEN`, `DATABASE_URL`,
   * `SESSION_SECRET`, `JWT_SECRET`, `SMS_PROVIDER`, `NODE_ENV`, `USE_DATABASE`, `ENABLE_REAL_OTP`, `ENABLE_RATE_LIMIT`).
   *
   * @param functions The app's own `sender` and `events`, which no environment can hold.
   * @throws OncecodeError As {@link Oncecode.open}, and `CONFIG` when no store is named in production.
   */
  static async fromEnv(functions: Pick<OncecodeOptions, "sender" | "events"> = {}): Promise<Oncecode> {
    const hooks = hooksOnly(functions);
    const connection = new Connection(hooks);
    values(await connection.ask((client, call) => client.openFromEnv(call, hooks.sends.length, !!hooks.tell)));
    return new Oncecode(connection);
  }

  /** Whether it was opened for development or for production. */
  get mode(): "development" | "production" {
    return this.#connection.isDevelopment() ? "development" : "production";
  }

  /**
   * How the store is, now: one question to it, bounded by `deadlineMs`. A store that is down is an answer, not an error.
   *
   * While the circuit breaker is open, this is answered without asking until the next probe is due, and is then the probe.
   *
   * @throws OncecodeError `CLOSED`.
   */
  async health(): Promise<Health> {
    return health(values(await this.#connection.ask((client, call) => client.health(call))));
  }

  /**
   * Deletes up to `limit` expired rows from stores that do not do so by themselves (SQL). Returns how many.
   *
   * @param limit Default 1000.
   * @throws OncecodeError `INVALID_ARGUMENT`, `STORE_UNAVAILABLE`.
   */
  async purge(limit = 1000): Promise<number> {
    const most = wholeNumber("limit", limit);
    const [, , purged] = values(await this.#connection.ask((client, call) => client.purge(call, most)));
    return purged as number;
  }

  /** Releases connections. Every later call fails with `CLOSED`; closing twice is fine. */
  async close(): Promise<void> {
    values(await this.#connection.ask((client, call) => client.close(call)));
  }
}

/** `await using once = await Oncecode.open(…)` closes it at the end of the block. */
export interface Oncecode {
  [Symbol.asyncDispose](): Promise<void>;
}

// Node.js 18 may not have the symbol.
if (Symbol.asyncDispose !== undefined) {
  const value = function (this: Oncecode) {
    return this.close();
  };
  Object.defineProperty(Oncecode.prototype, Symbol.asyncDispose, { value, configurable: true, writable: true });
}

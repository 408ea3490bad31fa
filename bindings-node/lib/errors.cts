import native = require("../native/index.cjs");

/** Every code of an {@link OncecodeError}. They are stable for ever and the same in all languages. */
export const ERROR_CODES = [
  "WRONG_CODE",
  "CODE_NOT_FOUND",
  "TOO_MANY_ATTEMPTS",
  "COOLDOWN",
  "RATE_LIMITED",
  "INVALID_PHONE",
  "INVALID_EMAIL",
  "INVALID_CODE",
  "INVALID_ARGUMENT",
  "LOCKED",
  "LEASE_LOST",
  "IN_PROGRESS",
  "IDEMPOTENCY_MISMATCH",
  "SESSION_NOT_FOUND",
  "TOKEN_INVALID",
  "TOKEN_EXPIRED",
  "TOKEN_REVOKED",
  "LINK_INVALID",
  "LINK_EXPIRED",
  "STORE_UNAVAILABLE",
  "DELIVERY_FAILED",
  "UNREACHABLE",
  "REGION_BLOCKED",
  "DELIVERY_LIMITED",
  "INVALID_SIGNATURE",
  "CONFIG",
  "CLOSED",
  "INTERNAL",
] as const;

/**
 * Why an operation failed.
 *
 * | code | status | |
 * |---|---|---|
 * | `WRONG_CODE` | 401 | not the code that was sent; `attemptsLeft` says how many tries remain |
 * | `CODE_NOT_FOUND` | 401 | no live code: never issued, expired, cancelled or used; deliberately one answer |
 * | `TOO_MANY_ATTEMPTS` | 429 | the attempts of this code, or the failure budget of this address, are spent |
 * | `COOLDOWN` | 429 | a code went out a moment ago; `retryAfterSeconds` says when the next may |
 * | `RATE_LIMITED` | 429 | a limit per address or IP address is reached; see `retryAfterSeconds` |
 * | `INVALID_PHONE` | 400 | not a phone number that exists in its country's numbering plan |
 * | `INVALID_EMAIL` | 400 | not an email address |
 * | `INVALID_CODE` | 400 | not a code's length and alphabet; no attempt was counted |
 * | `INVALID_ARGUMENT` | 400 | some other argument is missing, too long or of the wrong type |
 * | `LOCKED` | 409 | somebody else holds the lock; `retryAfterSeconds` says when its lease ends |
 * | `LEASE_LOST` | 409 | the lock or claim is no longer the caller's |
 * | `IN_PROGRESS` | 409 | somebody works on the same idempotency key; see `retryAfterSeconds` |
 * | `IDEMPOTENCY_MISMATCH` | 422 | the idempotency key was used for another request |
 * | `SESSION_NOT_FOUND` | 401 | no live session: expired, idle for too long, revoked, rotated, or no token of ours: one answer for all |
 * | `TOKEN_INVALID` | 401 | not a token of a known key, altered, not for us, not yet valid, or of a form that is refused |
 * | `TOKEN_EXPIRED` | 401 | the token was good and its time is over |
 * | `TOKEN_REVOKED` | 401 | revoked, by itself or with all of its user's or everybody's |
 * | `LINK_INVALID` | 400 | not a link of ours, altered, used, or for another address or purpose |
 * | `LINK_EXPIRED` | 400 | the link was good and its time is over |
 * | `STORE_UNAVAILABLE` | 503 | the store did not answer in time or refused; nothing was accepted |
 * | `DELIVERY_FAILED` | 502 | the message could not be sent; cooldown and quota were given back |
 * | `UNREACHABLE` | 422 | the address exists and cannot be reached: a landline, a full mailbox, a user who opted out; cooldown and quota were given back |
 * | `REGION_BLOCKED` | 422 | the provider's account may not send to that country; cooldown and quota were given back |
 * | `DELIVERY_LIMITED` | 503 | the provider takes no more for now, or too many messages wait; cooldown and quota were given back |
 * | `INVALID_SIGNATURE` | 403 | not signed by the provider whose callback it claims to be |
 * | `CONFIG` | 500 | the options or the environment cannot work; the message says what to change |
 * | `CLOSED` | 500 | the client was closed |
 * | `INTERNAL` | 500 | a bug in oncecode; please report it |
 */
export type OncecodeErrorCode = (typeof ERROR_CODES)[number];

/** What an {@link OncecodeError} may carry besides its code and message. */
export interface OncecodeErrorDetails {
  retryAfterSeconds?: number | undefined;
  attemptsLeft?: number | undefined;
  headers?: Readonly<Record<string, string>> | undefined;
  cause?: unknown;
}

/** What every operation of this package rejects with. Messages never hold a code, a secret or a whole address. */
export class OncecodeError extends Error {
  /** Stable, such as `WRONG_CODE`. */
  readonly code: OncecodeErrorCode;
  /** The HTTP status to answer with. */
  readonly status: number;
  /** Whether the same call may succeed later with nothing changed. */
  readonly retryable: boolean;
  /** Whole seconds until the same call can succeed, rounded up: what a `Retry-After` header wants. */
  declare readonly retryAfterSeconds?: number;
  /** Tries left on the code, for `WRONG_CODE` and `TOO_MANY_ATTEMPTS`. */
  declare readonly attemptsLeft?: number;
  /** Headers of an HTTP response with this error: `Retry-After`, and what a limit says. */
  declare readonly headers: Readonly<Record<string, string>>;
  /** What was behind it, such as the error that the app's sender threw. */
  declare readonly cause?: unknown;

  /** An error as the operations throw it; handy in an app's own tests. */
  constructor(code: OncecodeErrorCode, message: string, details: OncecodeErrorDetails = {}) {
    super(message, "cause" in details ? { cause: details.cause } : undefined);
    const { status, retryable } = rowOf(code);
    this.code = code;
    this.status = status;
    this.retryable = retryable;
    if (details.retryAfterSeconds !== undefined) this.retryAfterSeconds = details.retryAfterSeconds;
    if (details.attemptsLeft !== undefined) this.attemptsLeft = details.attemptsLeft;
    // Not among its own enumerable properties: few want them in a log.
    Object.defineProperty(this, "headers", { value: details.headers ?? {}, configurable: true });
  }
}

// Where Error.prototype has it, and so not among an error's own properties when it is logged.
Object.defineProperty(OncecodeError.prototype, "name", { value: "OncecodeError", configurable: true, writable: true });

const TABLE = new Map<string, native.ErrorRow>(native.errorTable().map((row) => [row.code, row]));

function rowOf(code: OncecodeErrorCode): native.ErrorRow {
  const row = TABLE.get(code);
  if (row === undefined) throw new TypeError(`${String(code)} is not a code of OncecodeError`);
  return row;
}

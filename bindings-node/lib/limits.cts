import { optionalText, text, wholeNumber } from "./arguments.cjs";
import { type Connection, type News, values } from "./bridge.cjs";
import { OncecodeError } from "./errors.cjs";

/** Whom {@link Limits.hit} counts: `key`, `ip` or both, which then are counted each for itself. */
export interface Subject {
  /** The limit's name: `auth`, `email`, `search`, `purchase`, `api`, or one that was defined. */
  limit: string;
  /** Who is limited, such as a user id: 1 to 1024 bytes. */
  key?: string | undefined;
  /** An IP address that is limited (IPv6: its /64). */
  ip?: string | undefined;
}

/** What {@link Limits.hit} needs. */
export interface HitRequest extends Subject {
  /** How much it takes, a whole number from 1. Default 1. */
  cost?: number | undefined;
}

/** A named limit: `max` and `windowSeconds`, or several of them in `limits`, of which all must have room. */
export interface LimitDefinition extends Partial<LimitPart> {
  /** Several limits, 1 to 8, instead of one. */
  limits?: readonly LimitPart[] | undefined;
  /**
   * While the store is out of reach: each process counts for itself (`"local"`, default), everything passes (`"open"`),
   * nothing does (`"closed"`).
   */
  outage?: "local" | "open" | "closed" | undefined;
}

/** At most `max` per `windowSeconds`. */
export interface LimitPart {
  /** How much, 1 to 1 000 000. */
  max: number;
  /** Per how many seconds, 0.1 to 31 622 400 (366 days). */
  windowSeconds: number;
  /**
   * A window that begins with its first hit (`"fixed"`, default), one that remembers the share of the one before
   * (`"sliding"`), or a bucket that refills evenly (`"bucket"`, GCRA).
   */
  algorithm?: "fixed" | "sliding" | "bucket" | undefined;
}

/** What is left of a limit. */
export interface Quota {
  /** The limit's name. */
  limit: string;
  /** Whether a hit passes. Always true in what `hit` resolves to. */
  allowed: boolean;
  /** The maximum of the strictest window. */
  max: number;
  /** What may still be taken now. */
  remaining: number;
  /** Until all of it is there again, in seconds with fractions. */
  resetsInSeconds: number;
  /** The store was out of reach: this is the limit's policy for an outage. */
  degraded: boolean;
  /** `RateLimit-Policy` and `RateLimit` (draft-ietf-httpapi-ratelimit-headers-10), for the HTTP response. */
  headers: Record<string, string>;
}

/** Rate limits: `once.limits`. All methods reject with an `OncecodeError`, never with anything else. */
export class Limits {
  readonly #connection: Connection;

  /** @internal */
  constructor(connection: Connection) {
    this.#connection = connection;
  }

  /**
   * Takes the cost from every limit of that name, or nothing from any. One round trip.
   *
   * @throws OncecodeError `RATE_LIMITED` with `retryAfterSeconds` and `headers`; `INVALID_ARGUMENT` for an unknown name or
   * a cost above the maximum; `STORE_UNAVAILABLE` where the limit is `"closed"` during an outage.
   */
  async hit(request: HitRequest): Promise<Quota> {
    const { limit, key, ip } = subject(request);
    const cost = costOf(request);
    return quota(limit, values(await this.#connection.ask((client, call) => client.hit(call, limit, key, ip, cost))));
  }

  /**
   * What a hit would find. Takes nothing.
   *
   * @throws OncecodeError As {@link Limits.hit}, without `RATE_LIMITED`.
   */
  async peek(request: Subject): Promise<Quota> {
    const { limit, key, ip } = subject(request);
    return quota(limit, values(await this.#connection.ask((client, call) => client.peekLimit(call, limit, key, ip))));
  }

  /**
   * Gives back what a hit took, for what then came to nothing: a message that was not sent, a request that failed. What
   * is over by now stays as it is.
   *
   * @throws OncecodeError As {@link Limits.hit}, without `RATE_LIMITED`.
   */
  async refund(request: HitRequest): Promise<void> {
    const { limit, key, ip } = subject(request);
    const cost = costOf(request);
    values(await this.#connection.ask((client, call) => client.refund(call, limit, key, ip, cost)));
  }

  /**
   * Forgets what was taken by exactly this `key` or `ip`.
   *
   * @throws OncecodeError `INVALID_ARGUMENT`, `STORE_UNAVAILABLE`.
   */
  async reset(request: Subject): Promise<void> {
    const { limit, key, ip } = subject(request);
    values(await this.#connection.ask((client, call) => client.resetLimit(call, limit, key, ip)));
  }

  /**
   * Defines a limit for this process, or defines it anew. Limits in the options need no call.
   *
   * @throws OncecodeError `CONFIG` for one that cannot work.
   */
  define(name: string, definition: LimitDefinition): void {
    const given = text({ name }, "name");
    if (typeof definition !== "object" || definition === null) throw new OncecodeError("CONFIG", "a definition is missing");
    const json = JSON.stringify(definition, (key, value) => {
      if (typeof value === "number" && !Number.isFinite(value)) throw new OncecodeError("CONFIG", `${key} must be finite`);
      return value as unknown;
    });
    values(this.#connection.now((client) => client.defineLimit(given, json)));
  }

  /**
   * The address of whoever sent a request: the connection's own (`req.socket.remoteAddress`), or what the proxies in the
   * option `trustedProxies` say in `X-Forwarded-For`, read from right to left.
   *
   * @throws OncecodeError `INVALID_ARGUMENT` when `remote` is no address.
   */
  clientIp(remote: string, forwardedFor?: string): string {
    const [from, chain] = [text({ remote }, "remote"), optionalText({ forwardedFor }, "forwardedFor")];
    return values(this.#connection.now((client) => client.clientIp(from, chain)))[2] as string;
  }

  /**
   * `action`, behind a limit: each call takes one before it runs, and is refused with `RATE_LIMITED` when none is left.
   *
   * ```js
   * const search = once.limits.limited("search", (user) => ({ key: user.id }), (user, words) => index.find(words));
   * ```
   */
  limited<Args extends unknown[], Result>(
    limit: string,
    who: (...args: Args) => Omit<HitRequest, "limit">,
    action: (...args: Args) => Result | Promise<Result>,
  ): (...args: Args) => Promise<Result> {
    return async (...args) => {
      await this.hit({ ...who(...args), limit });
      return action(...args);
    };
  }
}

function subject(request: Subject): Subject {
  return { limit: text(request, "limit"), key: optionalText(request, "key"), ip: optionalText(request, "ip") };
}

function costOf({ cost }: HitRequest): number | undefined {
  return cost === undefined ? undefined : wholeNumber("cost", cost);
}

function quota(limit: string, news: News): Quota {
  const state = news[5] as number;
  const headers: Record<string, string> = { "RateLimit-Policy": news[6] as string, RateLimit: news[7] as string };
  const retryAfterSeconds = Math.floor(state / 4);
  if (retryAfterSeconds > 0) headers["Retry-After"] = String(retryAfterSeconds);
  return {
    limit,
    allowed: (state & 1) === 1,
    max: news[2] as number,
    remaining: news[3] as number,
    resetsInSeconds: (news[4] as number) / 1000,
    degraded: (state & 2) === 2,
    headers,
  };
}

// `oncecode/express-rate-limit`: counts of express-rate-limit in the store of a client.

import type { ClientRateLimitInfo, Options, Store } from "express-rate-limit";
import { OncecodeError } from "./errors.cjs";
import type { Oncecode } from "./index.cjs";

/** What a limit counts to; more than anybody's `limit`. */
const MOST = 1_000_000;

/** What {@link RateLimitStore} can be told. */
export interface RateLimitStoreOptions {
  /** Separates limiters: two with the same prefix and window share their counts. Default `"express"`. */
  prefix?: string | undefined;
}

/**
 * ```js
 * app.use(rateLimit({ windowMs: 900_000, limit: 100, store: new RateLimitStore(once) }));
 * ```
 *
 * While the client's store is out of reach each process counts for itself.
 */
export class RateLimitStore implements Store {
  /** Counts are seen by other processes. */
  readonly localKeys = false;
  readonly prefix: string;
  readonly #once: Oncecode;
  #limit = "";
  #windowMs = 0;

  constructor(once: Oncecode, { prefix = "express" }: RateLimitStoreOptions = {}) {
    this.#once = once;
    this.prefix = prefix;
  }

  /** express-rate-limit calls it when the limiter is made. */
  init({ windowMs }: Pick<Options, "windowMs">): void {
    this.#windowMs = windowMs;
    this.#limit = `express-${this.prefix}-${windowMs}`;
    this.#once.limits.define(this.#limit, { max: MOST, windowSeconds: windowMs / 1000 });
  }

  async get(key: string): Promise<ClientRateLimitInfo | undefined> {
    const { remaining, resetsInSeconds } = await this.#once.limits.peek({ limit: this.#limit, key });
    return remaining === MOST ? undefined : this.#info(MOST - remaining, resetsInSeconds);
  }

  async increment(key: string): Promise<ClientRateLimitInfo> {
    try {
      const { remaining, resetsInSeconds } = await this.#once.limits.hit({ limit: this.#limit, key });
      return this.#info(MOST - remaining, resetsInSeconds);
    } catch (error) {
      if (!(error instanceof OncecodeError) || error.code !== "RATE_LIMITED") throw error;
      return this.#info(MOST + 1, error.retryAfterSeconds ?? this.#windowMs / 1000);
    }
  }

  async decrement(key: string): Promise<void> {
    await this.#once.limits.refund({ limit: this.#limit, key });
  }

  async resetKey(key: string): Promise<void> {
    await this.#once.limits.reset({ limit: this.#limit, key });
  }

  #info(totalHits: number, resetsInSeconds: number): ClientRateLimitInfo {
    return { totalHits, resetTime: new Date(Date.now() + resetsInSeconds * 1000) };
  }
}

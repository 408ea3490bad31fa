import type { News } from "./bridge.cjs";
import type { OncecodeErrorCode } from "./errors.cjs";

/** How the store is: the answer of {@link Oncecode.health}. It holds no secret and no address. */
export interface Health {
  /** Whether the store answered, and would do its work. */
  ok: boolean;
  /** The scheme of the store's URL, such as `"redis"`. */
  store: string;
  /**
   * What the circuit breaker does: lets calls through (`"closed"`), refuses them (`"open"`), or refuses them while one
   * finds out whether the store is back (`"half_open"`). Absent where there is none. Of a store of several servers the
   * worst of theirs, so that it may be open while `ok`.
   */
  breaker?: "closed" | "open" | "half_open";
  /** Since when calls go through, or do not. Absent without a breaker. */
  since?: Date;
  /** How long the store took to answer. Absent where it did not. */
  latencyMs?: number;
  /** Why it is not `ok`: usually `"STORE_UNAVAILABLE"`; `"CONFIG"` where the store does not allow what is needed. */
  error?: OncecodeErrorCode;
  /**
   * By how many milliseconds this machine's clock is ahead of the store's (negative: behind). Absent where the store uses
   * this machine's, or did not tell.
   */
  clockSkewMs?: number;
  /** What endangers the codes: a sentence each, for whoever runs the app. */
  warnings: string[];
}

export function health([, , found]: News): Health {
  const { sinceMs, ...health } = found as Health & { sinceMs?: number };
  if (sinceMs !== undefined) health.since = new Date(sinceMs);
  return health;
}

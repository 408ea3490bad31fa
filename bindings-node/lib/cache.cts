import native = require("../native/index.cjs");
import { json, optionalSeconds, optionalWhole, text, written } from "./arguments.cjs";
import { type Connection, type News, values } from "./bridge.cjs";

/** Names an entry of the cache. */
export interface CacheKey {
  /** 1 to 1024 bytes. */
  key: string;
  /** The form of the value: entries of another version count as none. Default 1. */
  version?: number | undefined;
}

/** What {@link Cache.getOrLoad} needs. */
export interface CacheRequest extends CacheKey {
  /** How long a value lives, at most 29 days. Default 3600. */
  ttlSeconds?: number | undefined;
  /** How long it is remembered that there is none; 0: not at all. Default 60. */
  negativeTtlSeconds?: number | undefined;
  /** How long others leave the loading to one who has died. Default 10. */
  leaseSeconds?: number | undefined;
  /** How long to wait for another's load before loading as well. Default 10. */
  waitSeconds?: number | undefined;
}

/** What {@link Cache.set} needs. */
export interface CacheSetRequest extends Pick<CacheRequest, "key" | "version" | "ttlSeconds" | "negativeTtlSeconds"> {
  /** At most 524 288 bytes of JSON, stored encrypted; `null`: there is none. */
  value: unknown;
}

/** An entry of the cache. */
export interface CacheEntry<T = unknown> {
  /** `null`: it is known that there is none. */
  value: T | null;
  /** When it was stored. */
  _cachedAt: Date;
  /** The form of the value. */
  _cacheVersion: number;
}

/**
 * Values that are costly to make, kept for a while: `once.cache`.
 *
 * Of many that miss at once, in any processes, one loads and the others wait for it. What was loaded before an
 * invalidation is not stored after it.
 */
export class Cache {
  readonly #connection: Connection;

  /** @internal */
  constructor(connection: Connection) {
    this.#connection = connection;
  }

  /**
   * The entry, if it lives and has this version; else `null`.
   *
   * @throws OncecodeError `INVALID_ARGUMENT`; `STORE_UNAVAILABLE`.
   */
  async get<T = unknown>(request: CacheKey): Promise<CacheEntry<T> | null> {
    const key = text(request, "key");
    const version = optionalWhole(request, "version");
    const news = values(await this.#connection.ask((client, call) => client.cacheGet(call, key, version)));
    if (news[2] === undefined) return null;
    return { value: value(news) as T, _cachedAt: new Date(news[2] as number), _cacheVersion: news[3] as number };
  }

  /**
   * Stores a value, or with `null` that there is none. Loads that began before do not overwrite it.
   *
   * @throws OncecodeError `INVALID_ARGUMENT`; `STORE_UNAVAILABLE`.
   */
  async set(request: CacheSetRequest): Promise<void> {
    const { key, ttl, negative, version } = common(request);
    const said = given(json(request, "value") ?? "null");
    values(await this.#connection.ask((client, call) => client.cacheSet(call, key, said, ttl, negative, version)));
  }

  /**
   * The value, from the cache or else from `load`, which runs once for all that miss at the same time. `null` and
   * `undefined` are remembered too. Without a store, every process loads for itself.
   *
   * @throws OncecodeError `INVALID_ARGUMENT`; what `load` throws, after which the next one loads.
   */
  async getOrLoad<T>(request: CacheRequest, load: () => T | Promise<T>): Promise<T | null> {
    const { key, ttl, negative, version } = common(request);
    const lease = optionalSeconds(request, "leaseSeconds");
    const wait = optionalSeconds(request, "waitSeconds");
    const found = values(
      await this.#connection.ask((client, call) =>
        client.cacheFetch(call, key, ttl, negative, version, lease, wait),
      ),
    );
    if (found[2] !== undefined) return value(found) as T | null;
    const duty = found[5] as Parameters<typeof native.giveUp>[0];
    try {
      const said = given(written("the loaded value", (await load()) ?? null));
      return value(values(await this.#connection.ask((client, call) => client.cacheFill(call, duty, said)))) as T | null;
    } finally {
      // Whatever happened, nobody need wait for this one any more.
      native.giveUp(duty);
    }
  }

  /**
   * Forgets an entry, also one that is being loaded. `false`: there was none.
   *
   * @throws OncecodeError `INVALID_ARGUMENT`; `STORE_UNAVAILABLE`: the old value may still be there.
   */
  async invalidate(request: Pick<CacheKey, "key">): Promise<boolean> {
    const key = text(request, "key");
    const [, , was] = values(await this.#connection.ask((client, call) => client.cacheInvalidate(call, key)));
    return was as boolean;
  }
}

function common(request: unknown) {
  return {
    key: text(request, "key"),
    ttl: optionalSeconds(request, "ttlSeconds"),
    negative: optionalSeconds(request, "negativeTtlSeconds"),
    version: optionalWhole(request, "version"),
  };
}

/** In Rust, no value says that there is none. */
function given(said: string): string | undefined {
  return said === "null" ? undefined : said;
}

function value([, , , , said]: News): unknown {
  return said === undefined ? null : JSON.parse(said as string);
}

// `oncecode/express-session`: sessions of express-session in the store of a client, so that an app can adopt one piece at a time.

import { type SessionData, Store } from "express-session";
import type { Oncecode } from "./index.cjs";

const DAY = 86_400;
/** What the cache keeps at most. */
const LONGEST = 29 * DAY;

/** What {@link SessionStore} can be told. */
export interface SessionStoreOptions {
  /** The life of sessions whose cookie has none. Default one day, at most 29 days. */
  ttlSeconds?: number | undefined;
  /** Separates several stores on one client. Default `"sess"`. */
  prefix?: string | undefined;
}

type Done<T = void> = (error?: unknown, value?: T) => void;

/**
 * ```js
 * app.use(session({ store: new SessionStore(once), secret, resave: false, saveUninitialized: false }));
 * ```
 *
 * Sessions are encrypted at rest and named by a keyed digest. One that was destroyed stays so: a request that was under way
 * and saves it late does not bring it back.
 */
export class SessionStore extends Store {
  readonly #once: Oncecode;
  readonly #ttl: number;
  readonly #prefix: string;

  constructor(once: Oncecode, { ttlSeconds = DAY, prefix = "sess" }: SessionStoreOptions = {}) {
    super();
    this.#once = once;
    this.#ttl = ttlSeconds;
    this.#prefix = prefix;
  }

  get(sid: string, callback: (error: unknown, session?: SessionData | null) => void): void {
    call(this.#read(sid), (error, session) => callback(error, session ?? null));
  }

  set(sid: string, session: SessionData, callback?: Done): void {
    call(this.#write(sid, session), callback);
  }

  override touch(sid: string, session: SessionData, callback?: Done): void {
    // What only lives on is written as it was: the request at hand may have read it before another one changed it.
    const live = async () => {
      const stored = await this.#read(sid);
      if (stored !== undefined) await this.#write(sid, { ...stored, cookie: session.cookie });
    };
    call(live(), callback);
  }

  destroy(sid: string, callback?: Done): void {
    const end = async () => {
      const stored = await this.#read(sid);
      // Whoever saves it late gives it this life again.
      const ttlSeconds = Math.min(2 * Math.max(this.#lifeOf(stored), 60), LONGEST);
      await this.#once.cache.set({ key: this.#key("gone", sid), value: true, ttlSeconds });
      await this.#once.cache.invalidate({ key: this.#key("live", sid) });
    };
    call(end(), callback);
  }

  async #read(sid: string): Promise<SessionData | undefined> {
    const [live, gone] = await Promise.all([
      this.#once.cache.get<SessionData>({ key: this.#key("live", sid) }),
      this.#once.cache.get({ key: this.#key("gone", sid) }),
    ]);
    const session = gone === null ? (live?.value ?? undefined) : undefined;
    const expires = session?.cookie.expires;
    return expires && new Date(expires).getTime() <= Date.now() ? undefined : session;
  }

  async #write(sid: string, session: SessionData): Promise<void> {
    const ttlSeconds = this.#lifeOf(session);
    if (ttlSeconds <= 0) return void (await this.#once.cache.invalidate({ key: this.#key("live", sid) }));
    const key = this.#key("live", sid);
    await this.#once.cache.set({ key, value: session, ttlSeconds: Math.min(ttlSeconds, LONGEST) });
  }

  #lifeOf(session: SessionData | undefined): number {
    const expires = session?.cookie?.expires;
    return expires ? (new Date(expires).getTime() - Date.now()) / 1000 : this.#ttl;
  }

  #key(what: string, sid: string): string {
    return `${this.#prefix}:${what}:${sid}`;
  }
}

function call<T>(promise: Promise<T>, done: Done<T> | undefined): void {
  // Out of the promise, so that what the callback throws is not ours.
  promise.then(
    (value) => done && setImmediate(done, null, value),
    (error: unknown) => done && setImmediate(done, error),
  );
}

import { flag, optionalSeconds, seconds, text } from "./arguments.cjs";
import { type Connection, values } from "./bridge.cjs";
import { Held, disposable, heldOf, leaseLost } from "./held.cjs";

/** What {@link Locks.tryAcquire} needs. */
export interface TryLockRequest {
  /** What is locked, 1 to 1024 bytes. */
  name: string;
  /** The lease: 0.01 s to 7 days. */
  ttlSeconds: number;
  /** Renew the lease while the lock is held; it then ends `ttlSeconds` after the process dies. Default `false`. */
  renew?: boolean | undefined;
}

/** What {@link Locks.acquire} and {@link Locks.hold} need. */
export interface LockRequest extends TryLockRequest {
  /** How long to wait for another holder. Default 10. */
  waitSeconds?: number | undefined;
}

/** A lock that is known by its token, such as one that another process acquired. */
export interface LockToken {
  /** As at `acquire`. */
  name: string;
  /** The `token` of the lock. */
  token: string;
}

/**
 * A lock that is held. Release it, or have `await using` do so. One that is forgotten is free when its lease ends.
 */
export class Lock extends Held {
  /**
   * The lease ends `ttlSeconds` from now. Extensions of one lock wait for each other.
   *
   * @throws OncecodeError `LEASE_LOST` when the lock was lost; `INVALID_ARGUMENT`; `STORE_UNAVAILABLE`: the store may have done
   * it or not, so the lock is held until the old end or the new one, whichever is earlier.
   */
  async extend(request: { ttlSeconds: number }): Promise<void> {
    const ttl = seconds(request, "ttlSeconds");
    values(await this.connection.ask((client, call) => client.extendHeld(call, this.handle, ttl)));
  }

  /**
   * Gives the lock back. `false`: it was lost, or released before.
   *
   * @throws OncecodeError `STORE_UNAVAILABLE`: the lock is free when its lease ends.
   */
  async release(): Promise<boolean> {
    const [, , released] = values(await this.connection.ask((client, call) => client.releaseHeld(call, this.handle)));
    return released as boolean;
  }
}

/** `await using lock = await once.locks.acquire(…)` releases it at the end of the block. */
export interface Lock {
  [Symbol.asyncDispose](): Promise<void>;
}

disposable(Lock, (lock) => lock.release());

/**
 * Locks across processes: `once.locks`.
 *
 * A holder that dies is out of the way when its lease ends. A holder that is only slow must stop when `lock.signal` is
 * aborted, and what it writes to should refuse a `lock.fence` below the highest it has seen.
 */
export class Locks {
  readonly #connection: Connection;

  /** @internal */
  constructor(connection: Connection) {
    this.#connection = connection;
  }

  /**
   * Waits for the lock.
   *
   * @throws OncecodeError `LOCKED` with `retryAfterSeconds` when the wait is over; `INVALID_ARGUMENT`; `STORE_UNAVAILABLE`,
   * without waiting, and also when the store took so long to answer that the lease was over.
   */
  async acquire(request: LockRequest): Promise<Lock> {
    const { name, ttl, renew } = common(request);
    const wait = optionalSeconds(request, "waitSeconds");
    const news = values(await this.#connection.ask((client, call) => client.acquire(call, name, ttl, wait, renew)));
    return new Lock(this.#connection, news, "the lock");
  }

  /**
   * The lock if it is free, else `null`. Does not wait.
   *
   * @throws OncecodeError `INVALID_ARGUMENT`; `STORE_UNAVAILABLE`.
   */
  async tryAcquire(request: TryLockRequest): Promise<Lock | null> {
    const { name, ttl, renew } = common(request);
    const news = heldOf(await this.#connection.ask((client, call) => client.tryAcquire(call, name, ttl, renew)));
    return news && new Lock(this.#connection, news, "the lock");
  }

  /**
   * Runs `work` under the lock and releases it. The lease is renewed unless `renew` is `false`.
   *
   * @throws OncecodeError As {@link Locks.acquire}; what `work` throws; `LEASE_LOST` when the lock was lost before `work` came
   * to its end.
   */
  async hold<T>(request: LockRequest, work: (lock: Lock) => T | Promise<T>): Promise<T> {
    const lock = await this.acquire({ ...request, renew: flag(request, "renew") ?? true });
    try {
      const result = await work(lock);
      if (lock.signal.aborted || lock.remainingSeconds === 0) throw leaseLost("the lock");
      return result;
    } finally {
      // A store out of reach forgets the lock when its lease ends; what `work` came to counts.
      await lock.release().catch(() => {});
    }
  }

  /**
   * Extends a lock that is known by its token.
   *
   * @throws OncecodeError `LEASE_LOST` when it is not held with this token any more: a lost lock is never created anew.
   */
  async extend(request: LockToken & { ttlSeconds: number }): Promise<void> {
    const { name, token } = known(request);
    const ttl = seconds(request, "ttlSeconds");
    values(await this.#connection.ask((client, call) => client.extend(call, name, token, ttl)));
  }

  /**
   * Releases a lock that is known by its token. `false`: it was not held with it any more.
   *
   * @throws OncecodeError `INVALID_ARGUMENT`; `STORE_UNAVAILABLE`.
   */
  async release(request: LockToken): Promise<boolean> {
    const { name, token } = known(request);
    const [, , released] = values(await this.#connection.ask((client, call) => client.release(call, name, token)));
    return released as boolean;
  }
}

function common(request: unknown) {
  return { name: text(request, "name"), ttl: seconds(request, "ttlSeconds"), renew: flag(request, "renew") ?? false };
}

function known(request: unknown) {
  return { name: text(request, "name"), token: text(request, "token") };
}

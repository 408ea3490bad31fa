import { flag, json, optionalSeconds, text, written } from "./arguments.cjs";
import { type Connection, values } from "./bridge.cjs";
import { Held } from "./held.cjs";

/** What {@link Idempotency.begin} and {@link Idempotency.run} need. */
export interface IdempotencyRequest extends IdempotencyOptions {
  /** Whose key it is, such as a user's id or `"stripe"`: 1 to 1024 bytes. Nobody is shown the reply of another scope. */
  scope: string;
  /** Such as a request's `Idempotency-Key` or a webhook's event id: 1 to 1024 bytes. */
  key: string;
  /** What was asked, such as the body: JSON or a string. Another one with the same key is refused. */
  fingerprint?: unknown;
}

/** How keys are kept. */
export interface IdempotencyOptions {
  /** How long a dead process blocks the key: 0.01 s to 7 days. Default 30. */
  leaseSeconds?: number | undefined;
  /** Renew the lease while the claim is held. Default `true`. */
  renew?: boolean | undefined;
  /** How long the reply is kept, at most 30 days. Default 24 h. */
  retentionSeconds?: number | undefined;
  /** How long to wait for the reply while somebody else works on it. Default 0. */
  waitSeconds?: number | undefined;
}

/** Where {@link Idempotency.idempotent} finds scope, key and fingerprint among the arguments of the function. */
export interface IdempotentOptions<Args extends unknown[]> extends IdempotencyOptions {
  scope: string | ((...args: Args) => string);
  key: (...args: Args) => string;
  fingerprint?: ((...args: Args) => unknown) | undefined;
}

/** A claim that is known by its token, such as one that another process began. */
export interface ClaimToken {
  scope: string;
  key: string;
  /** The `token` of the claim. */
  token: string;
}

/** What the work came to, as JSON has it: this time, or before. */
export interface Reply<T = unknown> {
  value: T;
  /** Whether it was done before. */
  replayed: boolean;
}

/** What became of {@link Idempotency.begin}: the work is the caller's, or it was done before. `replayed` tells which. */
export type Begun = Claim | { value: unknown; replayed: true };

/**
 * The right to do the work. One that is forgotten is not renewed any more, and the key is free when its lease ends.
 */
export class Claim extends Held {
  /** The work is to be done. */
  readonly replayed = false;

  /**
   * Keeps the reply, at most 65 536 bytes of JSON, encrypted. Also after the lease, if nobody else has begun.
   *
   * @throws OncecodeError `LEASE_LOST` when somebody else has begun or completed: their reply counts. `INVALID_ARGUMENT` for
   * a reply that is too large: the key is done all the same, without it. `STORE_UNAVAILABLE`.
   */
  async complete(reply: unknown = null): Promise<void> {
    const said = written("the reply", reply);
    values(await this.connection.ask((client, call) => client.completeHeld(call, this.handle, said)));
  }

  /**
   * Frees the key at once, as if it had never begun. `false`: the claim was lost or ended before.
   *
   * @throws OncecodeError `STORE_UNAVAILABLE`: the key is free when the lease ends.
   */
  async abandon(): Promise<boolean> {
    const [, , abandoned] = values(await this.connection.ask((client, call) => client.releaseHeld(call, this.handle)));
    return abandoned as boolean;
  }
}

/** Work that is done once for each key, and its reply replayed: `once.idempotency`. */
export class Idempotency {
  readonly #connection: Connection;

  /** @internal */
  constructor(connection: Connection) {
    this.#connection = connection;
  }

  /**
   * Runs `work` unless it was done before; then replays its reply. What `work` throws frees the key at once.
   *
   * @throws OncecodeError As {@link Idempotency.begin} and {@link Claim.complete}; what `work` throws.
   */
  async run<T>(request: IdempotencyRequest, work: (claim: Claim) => T | Promise<T>): Promise<Reply<T>> {
    const begun = await this.begin(request);
    if (begun.replayed) return begun as Reply<T>;
    const value = await attempt(begun, work);
    const said = written("the reply", value ?? null);
    await begun.complete(value ?? null);
    // What a replay would be.
    return { value: JSON.parse(said) as T, replayed: false };
  }

  /**
   * A function that runs once for each key and gives the same value again.
   *
   * ```js
   * const charge = once.idempotency.idempotent({ scope: (order) => order.user, key: (order) => order.id }, async (order) => …);
   * ```
   */
  idempotent<Args extends unknown[], T>(
    options: IdempotentOptions<Args>,
    work: (...args: Args) => T | Promise<T>,
  ): (...args: Args) => Promise<T> {
    const { scope, key, fingerprint, ...rest } = options;
    return async (...args) => {
      const request: IdempotencyRequest = {
        ...rest,
        scope: typeof scope === "function" ? scope(...args) : scope,
        key: key(...args),
        fingerprint: fingerprint?.(...args),
      };
      return (await this.run(request, () => work(...args))).value;
    };
  }

  /**
   * Claims the key, or gives what was completed under it: `if (begun.replayed) return begun.value`.
   *
   * @throws OncecodeError `IN_PROGRESS` with `retryAfterSeconds` while another works on it; `IDEMPOTENCY_MISMATCH` when the
   * fingerprint is another; `INVALID_ARGUMENT`, also when the reply was too large to be kept; `STORE_UNAVAILABLE`: the work
   * must not be done.
   */
  async begin(request: IdempotencyRequest): Promise<Begun> {
    const scope = text(request, "scope");
    const key = text(request, "key");
    const fingerprint = json(request, "fingerprint");
    const lease = optionalSeconds(request, "leaseSeconds");
    const retention = optionalSeconds(request, "retentionSeconds");
    const wait = optionalSeconds(request, "waitSeconds");
    const renew = flag(request, "renew") ?? true;
    const news = values(
      await this.#connection.ask((client, call) =>
        client.begin(call, scope, key, fingerprint, lease, retention, wait, renew),
      ),
    );
    if (news[2] === undefined) return { value: JSON.parse(news[5] as string), replayed: true };
    return new Claim(this.#connection, news, "the claim");
  }

  /**
   * Completes a claim that is known by its token.
   *
   * @throws OncecodeError As {@link Claim.complete}.
   */
  async complete(request: ClaimToken & { reply?: unknown }): Promise<void> {
    const { scope, key, token } = known(request);
    const reply = json(request, "reply") ?? "null";
    values(await this.#connection.ask((client, call) => client.complete(call, scope, key, token, reply)));
  }

  /**
   * Abandons a claim that is known by its token. `false`: it was lost or ended before.
   *
   * @throws OncecodeError `INVALID_ARGUMENT`; `STORE_UNAVAILABLE`.
   */
  async abandon(request: ClaimToken): Promise<boolean> {
    const { scope, key, token } = known(request);
    const [, , freed] = values(await this.#connection.ask((client, call) => client.abandon(call, scope, key, token)));
    return freed as boolean;
  }
}

async function attempt<T>(claim: Claim, work: (claim: Claim) => T | Promise<T>): Promise<T> {
  try {
    return await work(claim);
  } catch (thrown) {
    // The work's own error is what the caller must see; the lease frees the key as well.
    await claim.abandon().catch(() => {});
    throw thrown;
  }
}

function known(request: unknown) {
  return { scope: text(request, "scope"), key: text(request, "key"), token: text(request, "token") };
}

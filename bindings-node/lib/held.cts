// What locks and claims have in common: a lease, and a signal that tells of its loss.

import native = require("../native/index.cjs");
import { type Connection, type News, values } from "./bridge.cjs";
import { OncecodeError } from "./errors.cjs";

/** A lease on something, held by this process. */
export abstract class Held {
  /** Proves the ownership, from any process. */
  readonly token: string;
  /** The fencing number: higher than that of every holder before. */
  readonly fence: number;
  /**
   * Aborted, with a `LEASE_LOST` as its reason, when the lease ran out or passed to somebody else. Waiting for it alone
   * does not keep the process alive.
   */
  readonly signal: AbortSignal;
  /** @internal */
  protected readonly connection: Connection;
  /** @internal */
  protected readonly handle: Parameters<typeof native.remaining>[0];

  /** @internal */
  constructor(connection: Connection, [, , token, fence, handle]: News, what: string) {
    this.connection = connection;
    this.token = token as string;
    this.fence = fence as number;
    this.handle = handle as Held["handle"];
    const controller = new AbortController();
    this.signal = controller.signal;
    // Refers to the controller alone: what is watched can still be collected.
    void watch(connection, this.handle, controller, what);
  }

  /** How much longer it may be relied on, by the monotonic clock; 0 once it is lost or given back. */
  get remainingSeconds(): number {
    return native.remaining(this.handle) / 1000;
  }
}

async function watch(connection: Connection, handle: Held["handle"], controller: AbortController, what: string) {
  const [, , lost] = await connection.ask((client, call) => client.ended(call, handle));
  if (lost === true) controller.abort(leaseLost(what));
}

export function leaseLost(what: string): OncecodeError {
  return new OncecodeError("LEASE_LOST", `${what} is no longer yours: its lease ran out, or somebody else has it`);
}

/** Has `await using` give it back, where the runtime has it: Node.js 18 may not have the symbol. */
export function disposable<T extends Held>(of: { prototype: T }, giveBack: (held: T) => Promise<unknown>): void {
  if (Symbol.asyncDispose === undefined) return;
  const value = async function (this: T) {
    await giveBack(this);
  };
  Object.defineProperty(of.prototype, Symbol.asyncDispose, { value, configurable: true, writable: true });
}

/** The values of an answer with a lease, if there is one. */
export function heldOf(news: News): News | null {
  const answer = values(news);
  return answer[2] === undefined ? null : answer;
}

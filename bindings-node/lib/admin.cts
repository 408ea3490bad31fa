import { invalid, flag, optionalText, text, wholeNumber } from "./arguments.cjs";
import { type Connection, values } from "./bridge.cjs";

/** What `once.admin.copy` needs. */
export interface CopyRequest {
  /** The other store's URL. */
  to: string;
  /** How many things are listed at a time, from 1 to 10 000. Default 500. */
  batch?: number | undefined;
  /** The `cursor` that an interrupted copy told last. */
  resumeFrom?: string | undefined;
  /**
   * Leave everything in this store as well. Only for a store that no app uses: what is used up in one of the two would be
   * live in the other. Default false.
   */
  keep?: boolean | undefined;
  /** Told after every batch, and waited for. What it throws ends the copy there. */
  progress?: ((soFar: Copied) => void | Promise<void>) | undefined;
}

/** How far a copy is, or what came of it. */
export interface Copied {
  /** Challenges, budgets included, that are now in the other store. */
  challenges: number;
  /** Values and counters that are now in the other store. */
  values: number;
  /** Skipped: the other store had it before, or has something newer of the name. */
  known: number;
  /** Skipped: nothing of its life was left. */
  expired: number;
  /** Skipped: under our prefix, but not ours, or without an end. */
  unreadable: number;
  /** Skipped: the other store cannot keep it, say for so long. */
  refused: number;
  /** About how many things there were in all, where the store can tell. */
  total?: number;
  /** Where to go on; absent when all is done. */
  cursor?: string;
}

const COUNTS = ["challenges", "values", "known", "expired", "unreadable", "refused"] as const;

/** Moving everything to another store. */
export class Admin {
  readonly #connection: Connection;

  /** @internal */
  constructor(connection: Connection) {
    this.#connection = connection;
  }

  /**
   * Moves all challenges, values and counters with this client's `keyPrefix` to the store `to`, with the life that they
   * have left, attempts, cooldowns and budgets included. Each is taken out of use here before it is put into use there, so
   * that no code is accepted twice; apps use `moving:NEW|OLD` meanwhile and notice nothing. Interrupted, it goes on from
   * the last `cursor`, or begins anew: nothing comes twice, and what was used up is not revived.
   *
   * @throws OncecodeError `CONFIG` when the other store cannot be opened or this one not be moved from; `INVALID_ARGUMENT`
   * for a foreign cursor; `STORE_UNAVAILABLE` when one of them stops to answer: go on from the last cursor.
   */
  async copy(request: CopyRequest): Promise<Copied> {
    const to = text(request, "to");
    const batch = request.batch === undefined ? 500 : wholeNumber("batch", request.batch);
    const keep = flag(request, "keep") ?? false;
    const { progress } = request;
    if (progress !== undefined && typeof progress !== "function") throw invalid("progress must be a function");
    const soFar: Copied = { challenges: 0, values: 0, known: 0, expired: 0, unreadable: 0, refused: 0 };
    let cursor = optionalText(request, "resumeFrom");
    do {
      const from = cursor;
      const [, , json] = values(await this.#connection.ask((client, call) => client.copy(call, to, batch, from, keep)));
      const done = JSON.parse(json as string) as Copied & { total: number | null; cursor: string | null };
      for (const name of COUNTS) soFar[name] += done[name];
      if (done.total !== null) soFar.total ??= done.total;
      cursor = done.cursor ?? undefined;
      if (cursor === undefined) delete soFar.cursor;
      else soFar.cursor = cursor;
      await progress?.({ ...soFar });
    } while (cursor !== undefined);
    return soFar;
  }
}

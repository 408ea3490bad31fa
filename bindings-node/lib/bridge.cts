// One per JavaScript environment: starts calls in Rust and hands out what comes back, all that is ready at once.

import { AsyncResource } from "node:async_hooks";
import native = require("../native/index.cjs");
import { OncecodeError, type OncecodeErrorCode, type OncecodeErrorDetails } from "./errors.cjs";
import type { Hooks, Message, OncecodeEvent } from "./options.cjs";

/** What Rust has to tell of a call: its number, a tag, and up to six values (src/queue.rs, src/reply.rs). */
export type News = readonly unknown[];
const WIDTH = 8;
const [REFUSED, SEND, EVENT, WARNING, OUTLIVED, ENDED] = [1, 2, 3, 4, 5, 6];

interface Call {
  /** Gone once it was called. */
  settle: ((news: News) => void) | undefined;
  readonly hooks: Hooks;
  /** Where the app's functions run, for those that use AsyncLocalStorage. */
  readonly context: AsyncResource | undefined;
  /** How much of it goes on when it has settled: messages that are sent in the background. */
  outlived: number;
  /** What the app's sender threw. */
  thrown?: { cause: unknown };
}

const calls: (Call | undefined)[] = [];
const free: number[] = [];
// Bun has libuv's functions for their names only.
const bridge = new native.Bridge(read, process.versions.bun === undefined);

/** A client of Rust's and the app's functions that belong to it. */
export class Connection {
  readonly #client = new native.Client(bridge);
  readonly #hooks: Hooks;

  constructor(hooks: Hooks) {
    this.#hooks = hooks;
  }

  /** What needs no waiting. */
  now(make: (client: native.Client) => unknown): News {
    return make(this.#client) as News;
  }

  isDevelopment(): boolean {
    return this.#client.isDevelopment();
  }

  /** Starts a call. Its end comes now or later. */
  ask(start: (client: native.Client, call: number) => unknown): News | Promise<News> {
    const number = free.pop() ?? calls.length;
    let now: News | null | undefined;
    try {
      now = start(this.#client, number) as News | null | undefined;
    } catch (cause) {
      free.push(number);
      throw new OncecodeError("INTERNAL", "the call could not be made", { cause });
    }
    if (now) {
      free.push(number);
      return now;
    }
    runSoon();
    return new Promise((settle) => {
      const hooks = this.#hooks;
      const context = hooks.sends.length > 0 || hooks.tell ? new AsyncResource("oncecode") : undefined;
      calls[number] = { settle, hooks, context, outlived: 0 };
    });
  }
}

/** The values of an answer. A refusal is thrown, from here so that the stack shows who awaits. */
export function values(news: News): News {
  if (news[1] !== REFUSED) return news;
  const [, , code, message, retryAfterSeconds, attemptsLeft, source, headers] = news;
  const details = { retryAfterSeconds, attemptsLeft, headers: headersOf(headers) } as OncecodeErrorDetails;
  const thrown = news[WIDTH] as { cause: unknown } | undefined;
  const cause = thrown ?? (typeof source === "string" ? { cause: new Error(source) } : undefined);
  throw new OncecodeError(code as OncecodeErrorCode, message as string, { ...details, ...cause });
}

/** Headers as Rust writes them: a name, a value, a name and so on, a line each. */
export function headersOf(lines: unknown): Record<string, string> {
  const headers: Record<string, string> = {};
  if (typeof lines !== "string") return headers;
  const parts = lines.split("\n");
  for (let at = 0; at + 1 < parts.length; at += 2) headers[parts[at]!] = parts[at + 1]!;
  return headers;
}

const NOW = Promise.resolve();
let soon = false;

/** Calls of one turn of the event loop go out together: after the continuations that are queued already. */
function runSoon(): void {
  if (soon) return;
  soon = true;
  void NOW.then(run);
}

function run(): void {
  soon = false;
  bridge.endTurn();
}

function read(news: unknown[]): void {
  for (let at = 0; at < news.length; at += WIDTH) {
    const number = news[at] as number;
    const call = calls[number];
    switch (news[at + 1]) {
      case WARNING:
        process.emitWarning(news[at + 2] as string, "OncecodeWarning");
        break;
      case SEND:
        if (call) void send(call, news[at + 2] as Message, news[at + 3], news[at + 4] as number);
        break;
      case EVENT:
        if (call) tell(call, news[at + 2] as OncecodeEvent & { atMs: number });
        break;
      case OUTLIVED:
        if (call) call.outlived += 1;
        break;
      case ENDED:
        if (call) call.outlived -= 1;
        release(number, call);
        break;
      default:
        if (call) settle(call, news.slice(at, at + WIDTH));
        release(number, call);
    }
  }
}

function settle(call: Call, news: unknown[]): void {
  if (call.thrown) news.push(call.thrown);
  call.settle?.(news);
  call.settle = undefined;
}

/** The number of a call that is over, in all its parts, is another's. */
function release(number: number, call: Call | undefined): void {
  if (call && (call.settle || call.outlived > 0)) return;
  calls[number] = undefined;
  free.push(number);
}

async function send(call: Call, message: Message, report: unknown, which: number): Promise<void> {
  const to = report as Parameters<typeof native.report>[0];
  try {
    await call.context?.runInAsyncScope(call.hooks.sends[which]!, undefined, message);
    native.report(to, true, false);
  } catch (cause) {
    const undone = (cause as { notSent?: unknown } | null | undefined)?.notSent === true;
    if (!native.report(to, false, undone)) return;
    // In the background there is nobody any more to throw it to.
    if (call.settle) call.thrown = { cause };
    else warn("sender", cause);
  }
}

function tell(call: Call, { atMs, ...event }: OncecodeEvent & { atMs: number }): void {
  event.at = new Date(atMs);
  const told = async () => call.context?.runInAsyncScope(call.hooks.tell!, undefined, event);
  told().catch((thrown: unknown) => warn("events", thrown));
}

function warn(name: string, thrown: unknown): void {
  const detail = thrown instanceof Error ? (thrown.stack ?? thrown.message) : String(thrown);
  process.emitWarning(`the function \`${name}\` threw`, { type: "OncecodeWarning", detail });
}

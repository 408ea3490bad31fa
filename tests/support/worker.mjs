// Calls the Node package as it is told: one JSON object a line, in and out. workers.py says which.

import { appendFileSync } from "node:fs";
import { createInterface } from "node:readline";

import { Oncecode, OncecodeError } from "../../bindings-node/index.mjs";

const clients = new Map();
let waiting = [];

createInterface({ input: process.stdin }).on("line", (line) => {
  const request = JSON.parse(line);
  if (request.held) waiting.push(request);
  else void answer(request);
});

async function answer(request) {
  let said;
  try {
    said = { value: (await perform(request)) ?? null };
  } catch (error) {
    said = { error: shown(error) };
  }
  process.stdout.write(`${JSON.stringify({ call: request.call, ...said })}\n`);
}

function perform({ do: what, client, with: given }) {
  switch (what) {
    case "open":
      return open(client, given);
    case "close":
      return close(client);
    case "ready":
      return undefined;
    case "go":
      return go(given.width);
    default:
      return serve(clients.get(client), what, given);
  }
}

const held = new Map();

/** `verify` is a method of `codes`, `locks.acquire` one of `locks`; what is not named is in `args`. What is held stays so. */
async function serve(once, what, given) {
  const [service, method] = what.includes(".") ? what.split(".") : ["codes", what];
  switch (what) {
    case "locks.remaining":
      return held.get(given.token).remainingSeconds;
    case "idempotency.run": {
      const { file, ...request } = given;
      return once.idempotency.run(request, () => appendFileSync(file, "worked\n"));
    }
    case "cache.getOrLoad": {
      const { file, forEver, ...request } = given;
      return once.cache.getOrLoad(request, () => {
        appendFileSync(file, "worked\n");
        return forEver ? new Promise(() => {}) : { loaded: true };
      });
    }
    default: {
      const result = await once[service][method](...(given.args ?? [given]));
      if (typeof result?.fence !== "number") return result;
      held.set(result.token, result);
      return { token: result.token, fence: result.fence, replayed: false };
    }
  }
}

async function open(client, { url, options, messages }) {
  const sender = messages && ((message) => appendFileSync(messages, `${JSON.stringify(message)}\n`));
  clients.set(client, await Oncecode.open(url, sender ? { ...options, sender } : options));
}

async function close(client) {
  await clients.get(client).close();
  clients.delete(client);
}

/** Starts what was held: `width` calls at once, each followed by the next. */
function go(width) {
  const calls = waiting.values();
  waiting = [];
  const line = async () => {
    for (const request of calls) await answer(request);
  };
  for (let i = 0; i < width; i += 1) void line();
}

function shown(error) {
  if (!(error instanceof OncecodeError)) return { code: "NOT_ONCECODE", message: String(error?.stack ?? error) };
  const { code, message, status, retryable, retryAfterSeconds, attemptsLeft } = error;
  return { code, message, status, retryable, retryAfterSeconds, attemptsLeft };
}

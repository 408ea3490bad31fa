import type { Request, RequestHandler, Response } from "express";
import type { Claim, Oncecode } from "../index.cjs";
import type { Body } from "./body.cjs";
import { invalid } from "./body.cjs";
import { handler } from "./handler.cjs";

/** What {@link idempotent} needs. */
export interface IdempotentOptions {
  /** Whose key it is, such as `(req) => req.userId`: nobody is shown the reply of another. */
  scope: (req: Request) => string;
  /** Whether a request without the header `Idempotency-Key` is refused. Default false: it simply runs. */
  required?: boolean | undefined;
}

/** The answer as it is kept. */
interface Kept {
  status: number;
  type: string | undefined;
  text: string;
}

/**
 * Runs what follows once for each `Idempotency-Key`, and gives its answer (of text, such as JSON) again to whoever repeats
 * the request, with `Idempotency-Replayed: true`. Another body under the same key is 422, a repetition while the first is under
 * way 409. Answers of 500 and more are not kept: the request may be repeated.
 */
export function idempotent(once: Oncecode, { scope, required = false }: IdempotentOptions): RequestHandler {
  return handler(once, async (req, res, next) => {
    const key = req.headers["idempotency-key"];
    if (typeof key !== "string") {
      if (required) throw invalid("the header Idempotency-Key is needed");
      return next();
    }
    const fingerprint = [req.method, req.originalUrl, (req.body as Body | undefined) ?? null];
    const begun = await once.idempotency.begin({ scope: scope(req), key, fingerprint });
    if (begun.replayed) return replay(begun.value as Kept, res);
    keep(begun, res);
    next();
  });
}

function replay({ status, type, text }: Kept, res: Response): void {
  res.status(status).setHeader("Idempotency-Replayed", "true");
  if (type !== undefined) res.setHeader("Content-Type", type);
  res.end(text);
}

/** Completes the claim with what is sent, before the last of it goes out. */
function keep(claim: Claim, res: Response): void {
  const chunks: Buffer[] = [];
  const [write, end] = [res.write.bind(res) as Write, res.end.bind(res) as unknown as Write];
  const take = (chunk: unknown, encoding: unknown) => {
    if (typeof chunk === "string") chunks.push(Buffer.from(chunk, typeof encoding === "string" ? (encoding as BufferEncoding) : "utf8"));
    else if (chunk instanceof Uint8Array) chunks.push(Buffer.from(chunk));
  };
  res.write = ((...args: unknown[]) => {
    take(args[0], args[1]);
    return write(...args);
  }) as typeof res.write;
  res.end = ((...args: unknown[]) => {
    take(args[0], args[1]);
    const type = res.getHeader("Content-Type");
    const kept: Kept = { status: res.statusCode, type: type === undefined ? undefined : String(type), text: Buffer.concat(chunks).toString() };
    const ended: Promise<unknown> = res.statusCode >= 500 ? claim.abandon() : claim.complete(kept);
    // The work is done either way, and its answer is due.
    void ended.catch(() => {}).then(() => end(...args));
    return res;
  }) as typeof res.end;
  // A connection that broke before anything was answered: the work may be asked for again.
  res.once("close", () => void (res.writableEnded || chunks.length > 0 || claim.abandon().catch(() => {})));
}

type Write = (...args: unknown[]) => boolean;

// Errors as HTTP says them. Which status and headers an error has, it knows itself.

import { STATUS_CODES } from "node:http";
import type { ErrorRequestHandler, Request, Response } from "express";
import { OncecodeError } from "../errors.cjs";
import type { Oncecode } from "../index.cjs";

const OURS = "Something went wrong on our side. Please try again later.";

/** What {@link errorHandler} can be told. */
export interface ErrorHandlerOptions {
  /** Told of every error that is answered with 500 or more. Default: `console.error`. */
  log?: ((error: unknown, req: Request) => void) | undefined;
}

/**
 * Answers every error that reaches it with `{ success: false, code, message, retryAfter?, attemptsLeft? }`, by the error's own
 * status and headers. In production what went wrong inside is logged and not told.
 *
 * ```js
 * app.use(errorHandler(once)); // last
 * ```
 */
export function errorHandler(once: Oncecode, { log = logged }: ErrorHandlerOptions = {}): ErrorRequestHandler {
  return (error: unknown, req, res, next) => {
    const known = understood(error);
    if ((known?.status ?? 500) >= 500) log(error, req);
    if (res.headersSent) return next(error);
    answerError(once, known ?? new Unexpected(error), res);
  };
}

/** Whether an error is one that a caller can be told: ours, or Express's about a request that it could not read. */
export function understood(error: unknown): OncecodeError | Unreadable | undefined {
  if (error instanceof OncecodeError || error instanceof Unreadable) return error;
  const { status, statusCode, expose, message } = (error ?? {}) as Record<string, unknown>;
  const said = Number(status ?? statusCode);
  if (!(error instanceof Error) || !(said >= 400 && said < 500)) return undefined;
  // Such as a path in the message of a file that is not there.
  return unreadable(said, expose === false ? (STATUS_CODES[said] ?? "refused") : String(message));
}

/** A request that can't be read: `INVALID_ARGUMENT`, with the status that HTTP has for it. */
export class Unreadable extends OncecodeError {
  override readonly status: number;

  constructor(status: number, message: string) {
    super("INVALID_ARGUMENT", message);
    this.status = status;
  }
}

/** The body parser's errors quote the body, which may hold a code. */
const READING: Readonly<Record<number, string>> = {
  400: "the body must be a JSON object",
  413: "the body is too large",
  415: "the body must be JSON in UTF-8, not compressed: Content-Type: application/json",
};

function unreadable(status: number, message: string): Unreadable {
  return new Unreadable(status, READING[status] ?? message);
}

export function unreadableBody(status: 400 | 413 | 415): Unreadable {
  return unreadable(status, "");
}

class Unexpected extends OncecodeError {
  readonly trace: string | undefined;

  constructor(cause: unknown) {
    super("INTERNAL", cause instanceof Error ? cause.message : "something that is no error was thrown", { cause });
    this.trace = cause instanceof Error ? cause.stack : undefined;
  }
}

export function answerError(once: Oncecode, error: OncecodeError, res: Response): void {
  const { status, headers, retryAfterSeconds, attemptsLeft } = error;
  const hidden = status >= 500 && once.mode === "production";
  for (const [name, value] of Object.entries(headers)) res.setHeader(name, value);
  if (status === 401) res.setHeader("WWW-Authenticate", "Bearer");
  res.setHeader("Cache-Control", "no-store");
  res.status(status).json({
    success: false,
    // Of what is broken inside, callers learn no more than that.
    code: hidden && status === 500 ? "INTERNAL" : error.code,
    message: hidden ? OURS : error.message,
    ...(retryAfterSeconds !== undefined && { retryAfter: retryAfterSeconds }),
    ...(attemptsLeft !== undefined && { attemptsLeft }),
    ...(!hidden && error instanceof Unexpected && { stack: error.trace }),
  });
}

function logged(error: unknown): void {
  console.error(error);
}

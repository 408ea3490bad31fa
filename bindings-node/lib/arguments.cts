// What users pass, checked before it goes to Rust: a wrong type must not become a string, nor a lone surrogate "\uFFFD".

import { OncecodeError } from "./errors.cjs";

const LONE_SURROGATE = /[\uD800-\uDFFF]/u;

/** The fields that `read` takes from an argument, which may be no object or have getters that throw. */
export function fields<T>(read: () => T): T {
  try {
    return read();
  } catch (cause) {
    throw new OncecodeError("INVALID_ARGUMENT", "the argument must be an object whose fields can be read", { cause });
  }
}

export function text(name: string, value: unknown): string {
  if (typeof value !== "string") throw invalid(`${name} must be a string, ${not(value)}`);
  if (LONE_SURROGATE.test(value)) throw invalid(`${name} must be valid Unicode; it holds a lone surrogate`);
  return value;
}

export function optionalText(name: string, value: unknown): string | undefined {
  return value === undefined ? undefined : text(name, value);
}

export function wholeNumber(name: string, value: unknown): number {
  if (Number.isInteger(value) && (value as number) >= 0 && (value as number) <= 0xffff_ffff) return value as number;
  throw invalid(`${name} must be a whole number from 0 to 4294967295`);
}

/** JSON for `data`; `undefined` is no data. */
export function json(name: string, value: unknown): string | undefined {
  if (value === undefined) return undefined;
  let written: string | undefined;
  try {
    written = JSON.stringify(value);
  } catch (cause) {
    throw invalid(`${name} must be what JSON.stringify takes: no cycle, no BigInt`, cause);
  }
  if (written === undefined) throw invalid(`${name} must be what JSON can hold, ${not(value)}`);
  return written;
}

function invalid(message: string, cause?: unknown): OncecodeError {
  return new OncecodeError("INVALID_ARGUMENT", message, cause === undefined ? {} : { cause });
}

/** Says the type only: the value may be a code or a secret. */
export function not(value: unknown): string {
  if (value === undefined) return "and is missing";
  if (value === null) return "not null";
  return `not ${Array.isArray(value) ? "an array" : `of type ${typeof value}`}`;
}

export { LONE_SURROGATE };

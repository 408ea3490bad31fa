// What users pass, checked before it goes to Rust: a wrong type must not become a string, nor a lone surrogate "\uFFFD".

import { OncecodeError } from "./errors.cjs";

export const LONE_SURROGATE = /[\uD800-\uDFFF]/u;

export function text(from: unknown, name: string): string {
  return checked(name, field(from, name));
}

export function optionalText(from: unknown, name: string): string | undefined {
  const value = field(from, name);
  return value === undefined ? undefined : checked(name, value);
}

/** An argument that is not part of an object. */
export function textOf(name: string, value: unknown): string {
  return checked(name, value);
}

export function wholeNumber(name: string, value: unknown): number {
  if (Number.isInteger(value) && (value as number) >= 0 && (value as number) <= 0xffff_ffff) return value as number;
  throw invalid(`${name} must be a whole number from 0 to 4294967295`);
}

/** A span of time; Rust says what is too long. */
export function seconds(from: unknown, name: string): number {
  const value = field(from, name);
  if (typeof value === "number" && value >= 0) return value;
  throw invalid(`${name} must be a number of seconds that is not negative, ${not(value)}`);
}

export function optionalSeconds(from: unknown, name: string): number | undefined {
  return field(from, name) === undefined ? undefined : seconds(from, name);
}

export function optionalWhole(from: unknown, name: string, most = 0xffff_ffff): number | undefined {
  const value = field(from, name);
  if (value === undefined) return undefined;
  if (Number.isSafeInteger(value) && (value as number) >= 0 && (value as number) <= most) return value as number;
  throw invalid(`${name} must be a whole number from 0 to ${most}`);
}

/** Milliseconds since the Unix epoch; now by default. */
export function moment(from: unknown, name: string): number {
  const value = field(from, name) ?? new Date();
  if (value instanceof Date && value.getTime() >= 0) return value.getTime();
  throw invalid(`${name} must be a Date after 1970`);
}

export function texts(from: unknown, name: string): string[] {
  const value = field(from, name);
  if (!Array.isArray(value)) throw invalid(`${name} must be an array of strings, ${not(value)}`);
  return value.map((each) => checked(`each of ${name}`, each));
}

export function flag(from: unknown, name: string): boolean | undefined {
  const value = field(from, name);
  if (value === undefined || typeof value === "boolean") return value;
  throw invalid(`${name} must be true or false, ${not(value)}`);
}

/** JSON for `data`; `undefined` is no data. */
export function json(from: unknown, name: string): string | undefined {
  const value = field(from, name);
  return value === undefined ? undefined : written(name, value);
}

/** JSON. */
export function written(name: string, value: unknown): string {
  let said: string | undefined;
  try {
    said = JSON.stringify(value);
  } catch (cause) {
    throw invalid(`${name} must be what JSON.stringify takes: no cycle, no BigInt`, cause);
  }
  if (said === undefined) throw invalid(`${name} must be what JSON can hold, ${not(value)}`);
  return said;
}

export function field(from: unknown, name: string): unknown {
  try {
    return (from as Record<string, unknown>)[name];
  } catch (cause) {
    const missing = from === undefined || from === null;
    throw invalid(missing ? "an object with the arguments is missing" : `${name} can't be read`, cause);
  }
}

function checked(name: string, value: unknown): string {
  if (typeof value !== "string") throw invalid(`${name} must be a string, ${not(value)}`);
  if (LONE_SURROGATE.test(value)) throw invalid(`${name} must be valid Unicode; it holds a lone surrogate`);
  return value;
}

export function invalid(message: string, cause?: unknown): OncecodeError {
  return new OncecodeError("INVALID_ARGUMENT", message, cause === undefined ? {} : { cause });
}

/** Says the type only: the value may be a code or a secret. */
export function not(value: unknown): string {
  if (value === undefined) return "and is missing";
  if (value === null) return "not null";
  return `not ${Array.isArray(value) ? "an array" : `of type ${typeof value}`}`;
}

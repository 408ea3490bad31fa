// What a request says, checked: a JSON object of known fields.

import express = require("express");
import type { Request, Response } from "express";
import { OncecodeError } from "../errors.cjs";
import { unreadableBody } from "./errors.cjs";

/** Room for everything the endpoints take, and no more. */
const MOST_BYTES = 16 * 1024;
const parse = express.json({ limit: MOST_BYTES, inflate: false, strict: true });

export type Body = Readonly<Record<string, unknown>>;

/** The body of a request, whether the app has parsed it already or not. `optional`: an empty one is `{}`. */
export async function body(req: Request, res: Response, optional = false): Promise<Body> {
  const empty = req.headers["transfer-encoding"] === undefined && Number(req.headers["content-length"] ?? 0) === 0;
  if (empty) {
    if (optional) return {};
    throw unreadableBody(400);
  }
  // Also what an app's own parsers have read: a form of another site must not log anybody in.
  if (!isJson(req)) throw unreadableBody(415);
  if (Number(req.headers["content-length"]) > MOST_BYTES) throw unreadableBody(413);
  if (req.body === undefined || !parsed(req)) await read(req, res);
  const said: unknown = req.body;
  if (typeof said !== "object" || said === null || Array.isArray(said)) throw unreadableBody(400);
  return said as Body;
}

function isJson(req: Request): boolean {
  const [type, ...rest] = (req.headers["content-type"] ?? "").toLowerCase().split(";").map((part) => part.trim());
  const coding = req.headers["content-encoding"] ?? "identity";
  const charset = rest.find((part) => part.startsWith("charset="))?.slice(8).replace(/"/g, "") ?? "utf-8";
  return type === "application/json" && coding === "identity" && (charset === "utf-8" || charset === "utf8");
}

/** Express 4 says `{}` before anything was read; `_body` is how body parsers tell each other. */
function parsed(req: Request): boolean {
  return (req as { _body?: boolean })._body === true || req.readableEnded;
}

function read(req: Request, res: Response): Promise<void> {
  return new Promise((done, fail) => parse(req, res, (error?: unknown) => (error ? fail(error) : done())));
}

/** The one text among fields of which one may be given. */
export function oneOf(body: Body, names: readonly string[]): { name: string; text: string } | undefined {
  const given = names.filter((name) => body[name] !== undefined && body[name] !== null);
  if (given.length > 1) throw invalid(`only one of ${names.join(", ")} can be given`);
  const [name] = given;
  return name === undefined ? undefined : { name, text: text(body, name) };
}

export function text(body: Body, name: string): string {
  const value = body[name];
  if (typeof value !== "string") throw invalid(`${name} must be a string`);
  return value;
}

export function optionalText(body: Body, name: string): string | undefined {
  return body[name] === undefined || body[name] === null ? undefined : text(body, name);
}

/** Refuses fields that are not known, without repeating them. */
export function onlyFields(body: Body, known: readonly string[]): void {
  if (Object.keys(body).every((name) => known.includes(name))) return;
  throw invalid(`there is an unknown field; known are ${known.join(", ")}`);
}

export function invalid(message: string): OncecodeError {
  return new OncecodeError("INVALID_ARGUMENT", message);
}

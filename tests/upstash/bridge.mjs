// Upstash's REST protocol in front of any Redis, for tests: bridge.mjs PORT REDIS_PORT TOKEN [CERTIFICATE KEY]

import { timingSafeEqual } from "node:crypto";
import { readFileSync } from "node:fs";
import http from "node:http";
import https from "node:https";

import { Redis, ReplyError, Status } from "./redis.mjs";

// What scripts/servers finds it by.
process.title = "upstash-bridge";

const [port, redisPort, token, certificate, key] = process.argv.slice(2);
const redis = new Redis(Number(redisPort));
let writes = 0;

const options = { keepAliveTimeout: 600_000, requestTimeout: 0 };
if (certificate) {
  const secure = { ...options, cert: readFileSync(certificate), key: readFileSync(key) };
  // Under 127.0.0.2 it answers too, with a certificate that does not say so.
  for (const host of ["127.0.0.1", "127.0.0.2"]) https.createServer(secure, serve).listen(Number(port), host);
} else {
  http.createServer(options, serve).listen(Number(port), "127.0.0.1");
}

async function serve(request, response) {
  const { status, body } = await answer(request).catch((error) => ({ status: 500, body: { error: error.message } }));
  response.writeHead(status, {
    "Content-Type": "application/json",
    "Upstash-Sync-Token": `test-${(writes += 1)}`,
    "X-Process-Id": process.pid,
  });
  response.end(JSON.stringify(body));
}

async function answer(request) {
  const url = new URL(request.url, "http://bridge");
  if (!isAllowed(request, url)) return { status: 401, body: { error: "WRONGPASS invalid or missing auth token" } };
  const encode = request.headers["upstash-encoding"] === "base64" ? inBase64 : inText;
  const sent = await text(request);
  if (url.pathname === "/pipeline") return list(sent, (commands) => each(commands, encode));
  if (url.pathname === "/multi-exec") return list(sent, (commands) => together(commands, encode));
  const command = url.pathname === "/" ? parsed(sent) : inPath(url, sent);
  if (!isCommand(command)) return refusal("ERR failed to parse command");
  return one(await redis.send(command), encode);
}

/** By header, or by the query where a client cannot set one. */
function isAllowed(request, url) {
  const given = request.headers.authorization?.replace(/^Bearer /, "") ?? url.searchParams.get("_token") ?? "";
  const [one, other] = [given, token].map((text) => Buffer.from(text));
  return one.length === other.length && timingSafeEqual(one, other);
}

async function text(request) {
  const parts = [];
  for await (const part of request) parts.push(part);
  return Buffer.concat(parts).toString();
}

function parsed(sent) {
  try {
    return JSON.parse(sent);
  } catch {
    return undefined;
  }
}

/** `/set/key?EX=10` with the value as the body, or as another part of the path. */
function inPath(url, sent) {
  const words = url.pathname.slice(1).split("/").map(decodeURIComponent);
  if (sent) words.push(sent);
  for (const [name, value] of url.searchParams) {
    if (name !== "_token") words.push(name, ...(value ? [value] : []));
  }
  return words;
}

function isCommand(command) {
  return Array.isArray(command) && command.length > 0 && command.every((word) => ["string", "number", "boolean"].includes(typeof word));
}

function list(sent, run) {
  const commands = parsed(sent);
  const all = Array.isArray(commands) && commands.length > 0 && commands.every(isCommand);
  return all ? run(commands) : refusal("ERR failed to parse pipeline request");
}

/** An answer a command; one that fails stops nothing. */
async function each(commands, encode) {
  const replies = await Promise.all(commands.map((command) => redis.send(command)));
  return { status: 200, body: replies.map((reply) => one(reply, encode).body) };
}

/** All at once, or nothing where one is no command. */
async function together(commands, encode) {
  // Written in one go, so that nothing of another request comes in between.
  const replies = await Promise.all([["MULTI"], ...commands, ["EXEC"]].map((command) => redis.send(command)));
  const done = replies.at(-1);
  if (done instanceof ReplyError) return refusal(done.message);
  return { status: 200, body: done.map((reply) => one(reply, encode).body) };
}

function one(reply, encode) {
  return reply instanceof ReplyError ? refusal(reply.message) : { status: 200, body: { result: encode(reply, true) } };
}

function refusal(error) {
  return { status: 400, body: { error } };
}

function inText(reply) {
  if (Array.isArray(reply)) return reply.map(inText);
  if (reply instanceof ReplyError) return reply.message;
  if (reply instanceof Status) return reply.text;
  return Buffer.isBuffer(reply) ? reply.toString() : reply;
}

/** Every text, save an OK that is the whole answer. */
function inBase64(reply, whole = false) {
  if (Array.isArray(reply)) return reply.map((part) => inBase64(part));
  if (reply instanceof Status && reply.text === "OK" && whole) return "OK";
  if (reply instanceof ReplyError) return Buffer.from(reply.message).toString("base64");
  if (reply instanceof Status) return Buffer.from(reply.text).toString("base64");
  return Buffer.isBuffer(reply) ? reply.toString("base64") : reply;
}

// `tests/cases/http/*.json` against Express, by requests over a socket.

import assert from "node:assert/strict";
import { readFileSync } from "node:fs";
import http from "node:http";
import { createRequire } from "node:module";
import { test } from "node:test";
import { isDeepStrictEqual } from "node:util";

const require = createRequire(import.meta.url);
const { Oncecode } = require("oncecode");
const { errorHandler, idempotent, optionalAuth, rateLimit, requireAuth, requireToken, router } = require("oncecode/express");

const FILES = ["code", "session", "link", "signup", "input", "limit", "idempotent"];

export function runCases(version) {
  const express = require("express");
  test(`this is Express ${version}`, () => {
    const [folder] = /^.*node_modules.express4?/.exec(require.resolve("express"));
    assert.ok(require(`${folder}/package.json`).version.startsWith(version));
  });
  let count = 0;
  for (const file of FILES) {
    const url = new URL(`../../tests/cases/http/${file}.json`, import.meta.url);
    for (const one of JSON.parse(readFileSync(url, "utf8"))) {
      count += 1;
      test(`${file}: ${one.name}`, (t) => hold(express, one, t));
    }
  }
  test("the cases are all there", () => assert.ok(count >= 80, `${count}`));
}

async function hold(express, { options, router: given, steps }, t) {
  const world = { jar: new Map(), saved: {} };
  const once = await opened(options, world);
  t.after(() => once.close());
  const server = app(express, once, given ?? {}, world).listen(0, "127.0.0.1");
  t.after(() => {
    server.closeAllConnections();
    server.close();
  });
  await new Promise((ready) => server.once("listening", ready));
  for (const [at, step] of steps.entries()) {
    const answer = await send(server.address().port, filled(step.request, world), step.anonymous ? undefined : world.jar);
    check(answer, filled(step, world), `step ${at}: ${step.request.method} ${step.request.path}`);
    if (step.save) world.saved[step.save] = answer.body;
  }
}

function opened({ sender = "none:", ...options } = {}, world) {
  const senders = {
    records: ({ code, to, link }) => {
      world.saved.message = { code, to };
      if (link) world.saved.link = { to, url: link, token: new URL(link).searchParams.get("token") };
    },
    fails: () => {
      throw new Error("the provider is out");
    },
  };
  return Oncecode.open("memory:", { mode: "development", deadlineMs: 5_000, sender: senders[sender] ?? sender, ...options });
}

/** The app of the cases, as their README describes it. */
function app(express, once, given, world) {
  const app = express();
  const me = (req, res) => res.json({ userId: req.userId });
  let runs = 0;
  app.use("/auth", router(once, routerOptions(given, world)));
  app.get("/me", requireAuth(once), me);
  app.get("/jwt", requireToken(once), me);
  app.get("/maybe", optionalAuth(once), me);
  app.get("/limited", rateLimit(once, "small"), (req, res) => res.json({ ok: true }));
  app.post("/limited-failures", rateLimit(once, "small", { skipSuccessful: true }), express.json(), (req, res) =>
    res.status(req.body.fail ? 418 : 200).json({ ok: true }),
  );
  app.get("/bug", () => {
    throw new Error("secret detail");
  });
  const scope = (req) => req.headers["x-user"];
  app.post("/once", express.json(), idempotent(once, { scope }), (req, res) => res.status(req.body.fail ?? 200).json({ run: ++runs }));
  app.use(errorHandler(once, { log: () => {} }));
  return app;
}

function routerOptions({ onVerified, links, ...options }, world) {
  const verified = {
    user: ({ identifier, by, purpose, data, fields }) => ({ id: `user of ${identifier}`, by, purpose, data, fields }),
    nobody: () => {},
    fails: () => {
      throw new Error("the database is out");
    },
  };
  const send = {
    records: ({ to, url }) => void (world.saved.link = { to, url, token: new URL(url).searchParams.get("token") }),
    fails: () => {
      throw new Error("the provider is out");
    },
  };
  return {
    ...options,
    ...(onVerified && { onVerified: verified[onVerified] }),
    ...(links && { links: { ...links, ...("send" in links && { send: send[links.send] }) } }),
  };
}

function send(port, { method, path, headers = {}, body, raw, bytes }, jar) {
  const said = bytes ? `{"phoneNumber":"${"1".repeat(bytes - 18)}"}` : (raw ?? (body === undefined ? undefined : JSON.stringify(body)));
  const all = { ...(said !== undefined && { "content-type": "application/json", "content-length": Buffer.byteLength(said) }) };
  if (jar?.size) all.cookie = [...jar].map((pair) => pair.join("=")).join("; ");
  Object.assign(all, headers);
  if (all["content-type"] === "") delete all["content-type"];
  return new Promise((done, fail) => {
    const request = http.request({ port, method, path, headers: all, agent: false }, async (response) => {
      const chunks = [];
      for await (const chunk of response) chunks.push(chunk);
      const text = Buffer.concat(chunks).toString();
      for (const cookie of response.headers["set-cookie"] ?? []) keep(jar, cookie);
      const isJson = /json/.test(response.headers["content-type"] ?? "");
      done({ status: response.statusCode, headers: response.headers, body: isJson ? JSON.parse(text) : text });
    });
    // A server may answer, and hang up, before it has read all of a large body.
    request.on("error", (error) => setImmediate(fail, error));
    request.end(said);
  });
}

function keep(jar, cookie) {
  const [, name, value] = /^([^=]+)=([^;]*)/.exec(cookie);
  if (/max-age=0/i.test(cookie)) jar?.delete(name);
  else jar?.set(name, value);
}

function check(answer, { status, headers = {}, body, exactly }, place) {
  assert.equal(answer.status, status, `${place}: ${JSON.stringify(answer.body)}`);
  for (const [name, wanted] of Object.entries(headers)) {
    const found = answer.headers[name];
    assert.ok(matches(Array.isArray(found) ? found.join("\n") : found, wanted), `${place}: ${name} is ${found}, not ${wanted}`);
  }
  if (body !== undefined) compare(answer.body, body, exactly, place);
}

function compare(actual, expected, exactly, place) {
  for (const [name, wanted] of Object.entries(expected)) {
    const nested = typeof wanted === "object" && wanted !== null && !Array.isArray(wanted);
    if (nested && actual?.[name]) compare(actual[name], wanted, exactly, `${place}.${name}`);
    else assert.ok(matches(actual[name], wanted), `${place}: ${name} is ${JSON.stringify(actual[name])}, not ${JSON.stringify(wanted)}`);
  }
  if (!exactly) return;
  const present = Object.entries(expected).filter(([, wanted]) => wanted !== null).map(([name]) => name);
  assert.deepEqual(Object.keys(actual).sort(), present.sort(), place);
}

function matches(actual, wanted) {
  if (wanted === null) return actual === undefined || actual === null;
  if (typeof wanted === "string" && wanted.startsWith("~")) {
    const [, flag, source] = /^~(\(\?s\))?(.*)$/s.exec(wanted);
    return typeof actual === "string" && new RegExp(`^(?:${source})$`, flag ? "s" : "").test(actual);
  }
  if (Array.isArray(wanted) && typeof actual === "number") return wanted[0] <= actual && actual <= wanted[1];
  return isDeepStrictEqual(actual, wanted);
}

/** `value` with every `{name.field|filter}` replaced. */
function filled(value, { saved }) {
  if (Array.isArray(value)) return value.map((item) => filled(item, { saved }));
  if (typeof value === "object" && value !== null) {
    return Object.fromEntries(Object.entries(value).map(([name, item]) => [name, filled(item, { saved })]));
  }
  if (typeof value !== "string") return value;
  return value.replace(/\{(\w+)\.(\w+)(?:\|(\w+))?\}/g, (whole, name, field, filter) => {
    const found = saved[name]?.[field];
    return found === undefined ? whole : filter === undefined ? found : FILTERS[filter](found);
  });
}

const FILTERS = {
  wrong: (code) => code.replace(/[0-9]/g, (digit) => String((Number(digit) + 1) % 10)),
  spaced: (code) => `${code.slice(0, 3)} ${code.slice(3)}`,
  altered: (token) => token.slice(0, -12) + (token.at(-12) === "A" ? "B" : "A") + token.slice(-11),
};

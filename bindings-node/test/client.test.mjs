// `oncecode/client` and `oncecode/react`, as a browser has them: against the real endpoints, bundled, in a page.

import assert from "node:assert/strict";
import { test } from "node:test";
import { build } from "esbuild";
import express from "express";
import { AuthError, createAuthClient } from "oncecode/client";
import { router } from "oncecode/express";

import { open, other, phone } from "./support.mjs";

/** The endpoints, and a fetch that keeps cookies as a browser would. */
async function endpoints(t, options = {}, routes = {}) {
  const once = await open(t, options);
  const server = express().use("/api/auth", router(once, routes)).listen(0, "127.0.0.1");
  await new Promise((ready) => server.once("listening", ready));
  t.after(() => {
    server.closeAllConnections();
    server.close();
  });
  const origin = `http://127.0.0.1:${server.address().port}`;
  let cookie = "";
  const browser = async (url, init) => {
    const answer = await fetch(new URL(url, origin), { ...init, headers: { ...init.headers, cookie } });
    for (const set of answer.headers.getSetCookie()) cookie = set.split(";")[0];
    return answer;
  };
  return { fetch: browser, origin };
}

test("a code, a session, a log-out", async (t) => {
  const auth = createAuthClient(await endpoints(t));
  const phoneNumber = phone();
  assert.equal(await auth.session(), null);
  const { otp, id, retryAfter } = await auth.requestOTP({ phoneNumber });
  assert.ok(retryAfter > 50);
  const { user, verified } = await auth.verifyOTP({ phoneNumber, otp, id });
  assert.deepEqual([verified, user.id], [true, phoneNumber]);
  assert.equal((await auth.session()).session.userId, phoneNumber);
  await auth.logout();
  assert.equal(await auth.session(), null);
});

test("what is refused is thrown, with all that the page needs", async (t) => {
  const auth = createAuthClient(await endpoints(t));
  const phoneNumber = phone();
  const { otp } = await auth.requestOTP({ phoneNumber });
  await assert.rejects(auth.verifyOTP({ phoneNumber, otp: other(otp) }), (error) => {
    assert.ok(error instanceof AuthError);
    assert.deepEqual([error.code, error.status, error.attemptsLeft], ["WRONG_CODE", 401, 4]);
    return true;
  });
  await assert.rejects(auth.resendOTP({ phoneNumber }), (error) => {
    assert.ok(error.retryAfter > 50);
    return error.code === "COOLDOWN" && error.status === 429;
  });
});

test("links are asked for, looked at and used", async (t) => {
  const links = { url: "https://app.example/verify", send: () => {} };
  const auth = createAuthClient(await endpoints(t, {}, { links }));
  const { link } = await auth.requestEmailLink({ email: "ann@example.com" });
  const token = new URL(link).searchParams.get("token");
  await auth.checkEmailLink(token);
  assert.equal((await auth.verifyEmailLink({ token })).verified, true);
  await assert.rejects(auth.checkEmailLink(token), { code: "LINK_INVALID", status: 400 });
});

test("what is no answer of ours is an error that says so", async () => {
  const answering = (status, body) => createAuthClient({ fetch: async () => new Response(body, { status }) });
  await assert.rejects(answering(502, "<html>Bad gateway").session(), { code: "UNEXPECTED", status: 502 });
  await assert.rejects(answering(200, "<html>the app's page").session(), { code: "UNEXPECTED", status: 200 });
  await assert.rejects(answering(200, "null").logout(), { code: "UNEXPECTED" });
  const unreachable = createAuthClient({ baseUrl: "http://127.0.0.1:1/" });
  await assert.rejects(unreachable.session(), { code: "NETWORK", status: 0 });
});

test("an answer that does not come is given up", async () => {
  const hanging = (_, { signal }) => new Promise((_, fail) => signal.addEventListener("abort", () => fail(signal.reason)));
  const auth = createAuthClient({ timeoutMs: 20, fetch: hanging });
  await assert.rejects(auth.requestOTP({ to: "+15551234567" }), { code: "NETWORK" });
});

test("a request says where it goes and with what", async () => {
  const asked = [];
  const options = {
    baseUrl: "https://api.example/auth/",
    credentials: "include",
    headers: () => ({ authorization: "Bearer t" }),
    fetch: async (...args) => asked.push(args) && new Response('{"success":true}'),
  };
  await createAuthClient(options).requestOTP({ phoneNumber: "1", name: "Ann" });
  const [[url, { method, credentials, headers, body }]] = asked;
  assert.deepEqual([url, method, credentials], ["https://api.example/auth/otp/request", "POST", "include"]);
  assert.equal(headers.authorization, "Bearer t");
  assert.deepEqual(JSON.parse(body), { phoneNumber: "1", name: "Ann" });
});

test("a bundle for browsers has nothing native in it and is small", async () => {
  const bundle = (contents, external = []) =>
    build({
      stdin: { contents, resolveDir: new URL(".", import.meta.url).pathname },
      bundle: true,
      minify: true,
      platform: "browser",
      format: "esm",
      write: false,
      external,
    });
  const client = await bundle('export * from "oncecode/client"');
  const [{ text }] = client.outputFiles;
  assert.ok(text.length < 4_000, `${text.length} bytes`);
  assert.doesNotMatch(text, /node:|\.node\b|require\(/);
  const react = await bundle('export * from "oncecode/react"', ["react", "@tanstack/react-query"]);
  assert.ok(react.outputFiles[0].text.length < 8_000);
  assert.doesNotMatch(react.outputFiles[0].text, /\.node\b|require\(/);
});

import assert from "node:assert/strict";
import { test } from "node:test";
import { readSettings } from "../server/settings.ts";

test("production is what an environment that says nothing means, unless it is a trial", () => {
  const REDIS_URL = "redis://localhost";
  assert.equal(readSettings({ REDIS_URL }).mode, "production");
  assert.equal(readSettings({ REDIS_URL }, "development").mode, "development");
  assert.equal(readSettings({ REDIS_URL, NODE_ENV: "production" }, "development").mode, "production");
  assert.equal(readSettings({ REDIS_URL, NODE_ENV: "staging" }, "development").mode, "production");
  assert.equal(readSettings({ NODE_ENV: "test" }).mode, "development");
  assert.equal(readSettings({ REDIS_URL, NODE_ENV: "development", ONCECODE_MODE: "production" }).mode, "production");
});

test("development needs nothing, production a store", () => {
  assert.equal(readSettings({}, "development").store, "memory:");
  assert.throws(() => readSettings({}), /REDIS_URL/);
  assert.equal(readSettings({ ONCECODE_STORE: "sqlite:a.db", REDIS_URL: "redis://localhost" }).store, "sqlite:a.db");
});

test("numbers are numbers", () => {
  for (const PORT of ["http", "-1", "65536", "1.5"]) assert.throws(() => readSettings({ PORT }, "development"), /PORT/);
  for (const RESEND_SECONDS of ["a minute", "-60"]) assert.throws(() => readSettings({ RESEND_SECONDS }, "development"), /RESEND_SECONDS/);
  assert.deepEqual(readSettings({ TRUSTED_PROXIES: "127.0.0.1, 10.0.0.0/8" }, "development").trustedProxies, ["127.0.0.1", "10.0.0.0/8"]);
});

// The real servers that some tests need, named by the environment.

import assert from "node:assert/strict";
import { randomUUID } from "node:crypto";
import type { TestContext } from "node:test";
import pg from "pg";

/** The `DATABASE_URL` of an empty schema, dropped with the test. */
export async function schema(t: TestContext): Promise<string> {
  const server = named("ONCECODE_TEST_POSTGRES", "postgresql://...");
  const admin = new pg.Client({ connectionString: server });
  const name = `arogya_${randomUUID().replaceAll("-", "")}`;
  await admin.connect();
  await admin.query(`CREATE SCHEMA ${name}`);
  t.after(async () => {
    await admin.query(`DROP SCHEMA ${name} CASCADE`);
    await admin.end();
  });
  return `${server}?options=-c%20search_path%3D${name}`;
}

export function redis(): string {
  return named("ONCECODE_TEST_REDIS", "redis://...");
}

function named(variable: string, such: string): string {
  const url = process.env[variable];
  assert.ok(url, `${variable} must name a server: ${such}`);
  return url;
}

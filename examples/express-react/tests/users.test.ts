// Users in memory and in PostgreSQL, whose server ONCECODE_TEST_POSTGRES names.

import assert from "node:assert/strict";
import { randomUUID } from "node:crypto";
import { type TestContext, test } from "node:test";
import { MemoryUsers, PostgresUsers, type Users } from "../server/users.ts";
import { schema } from "./services.ts";

const KINDS: Record<string, (t: TestContext) => Promise<() => Promise<Users>>> = {
  memory: async () => {
    const users = new MemoryUsers();
    return async () => users;
  },
  postgres: async (t) => {
    const url = await schema(t);
    return () => PostgresUsers.open(url);
  },
};

for (const [kind, begin] of Object.entries(KINDS)) {
  test(`one number is one user, whoever asks at the same moment: ${kind}`, async (t) => {
    const open = await begin(t);
    // Two processes that start together.
    const processes = await Promise.all([open(), open()]);
    const made = await Promise.all(processes.flatMap((users) => Array.from({ length: 10 }, () => users.findOrCreate("+919876543210"))));
    assert.equal(new Set(made.map(({ id }) => id)).size, 1);
    const { id } = made[0]!;
    const found = await processes[1]!.find(id);
    assert.equal(found?.phoneNumber, "+919876543210");
    assert.ok(found?.createdAt instanceof Date);
    assert.notEqual((await processes[0]!.findOrCreate("+919876543211")).id, id);
    assert.equal(await processes[0]!.find(randomUUID()), undefined);
    await Promise.all(processes.map((users) => users.close()));
  });
}

test("a database that is not there is told of", async () => {
  await assert.rejects(PostgresUsers.open("postgres://nobody@127.0.0.1:1/none"));
});

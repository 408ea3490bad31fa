// The app as a test begins it: on `memory:`, with the settings that an environment would make.

import { once as event } from "node:events";
import type { AddressInfo } from "node:net";
import type { TestContext } from "node:test";
import { Oncecode } from "oncecode";
import { DevInbox } from "oncecode/express";
import { createApp } from "../server/app.ts";
import { builtPages } from "../server/pages.ts";
import { readSettings } from "../server/settings.ts";
import { options } from "../server/start.ts";
import { MemoryUsers } from "../server/users.ts";

export const PRODUCTION = { ONCECODE_MODE: "production", ONCECODE_STORE: "memory:", ONCECODE_SECRET: "for the tests of this example alone" };

interface Answer {
  status: number;
  headers: Headers;
  body: any;
  /** The session's cookie, as a browser sends it. */
  cookie: string;
}

export async function serve(t: TestContext, env: Record<string, string> = {}) {
  const settings = readSettings({ ONCECODE_MODE: "development", ...env });
  const inbox = new DevInbox();
  const development = settings.mode === "development";
  // In production a sender of the test's own takes the messages.
  const once = await Oncecode.open(settings.store, { ...options(settings, inbox), sender: inbox.send });
  const users = new MemoryUsers();
  const app = createApp({ once, users, inbox: development ? inbox : undefined, pages: builtPages });
  const server = app.listen(0, "127.0.0.1");
  await event(server, "listening");
  t.after(async () => {
    server.closeAllConnections();
    server.close();
    await once.close();
  });

  const base = `http://127.0.0.1:${(server.address() as AddressInfo).port}`;
  const ask = async (path: string, init: RequestInit = {}): Promise<Answer> => {
    const answer = await fetch(base + path, init);
    const text = await answer.text();
    const isJson = answer.headers.get("content-type")?.startsWith("application/json");
    const [set = ""] = answer.headers.getSetCookie();
    return { status: answer.status, headers: answer.headers, body: isJson ? JSON.parse(text) : text, cookie: set.split(";")[0]! };
  };
  const post = (path: string, body?: unknown, headers: Record<string, string> = {}) =>
    ask(path, {
      method: "POST",
      headers: { ...(body !== undefined && { "content-type": "application/json" }), ...headers },
      ...(body !== undefined && { body: JSON.stringify(body) }),
    });
  return { ask, post, once, users, inbox };
}

type Served = Awaited<ReturnType<typeof serve>>;

/** Logs a number in. */
export async function logIn({ post }: Served, phoneNumber = "9876543210", headers: Record<string, string> = {}) {
  const { body } = await post("/api/auth/otp/request", { phoneNumber });
  return post("/api/auth/otp/verify", { phoneNumber, otp: body.otp }, headers);
}

export function other(code: string): string {
  return String((Number(code) + 1) % 1_000_000).padStart(6, "0");
}

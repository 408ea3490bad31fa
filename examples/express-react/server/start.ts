// Opens what the app needs, listens, and closes all of it again.

import { once as event } from "node:events";
import { existsSync } from "node:fs";
import { createServer, type Server } from "node:http";
import type { AddressInfo } from "node:net";
import type { Express } from "express";
import { Oncecode, type OncecodeOptions } from "oncecode";
import { DevInbox } from "oncecode/express";
import { createApp } from "./app.ts";
import { readSettings, type Settings } from "./settings.ts";
import { MemoryUsers, PostgresUsers, type Users } from "./users.ts";

/** How long requests that are under way may take when the server is told to end. */
const LAST_SECONDS = 10;

/** The settings of `.env` and of the environment, which wins. */
export function settingsOfProcess(unsaid?: Settings["mode"]): Settings {
  if (existsSync(".env")) process.loadEnvFile(".env");
  return readSettings(process.env, unsaid);
}

/** `pages` is called with the server, so that Vite can use its port too. */
export async function start(settings: Settings, pages: (server: Server) => Promise<(app: Express) => void>): Promise<void> {
  const inbox = settings.mode === "development" ? new DevInbox() : undefined;
  const once = await Oncecode.open(settings.store, options(settings, inbox));
  const users: Users = settings.databaseUrl === undefined ? new MemoryUsers() : await PostgresUsers.open(settings.databaseUrl);

  const server = createServer();
  server.on("request", createApp({ once, users, inbox, pages: await pages(server) }));
  server.listen(settings.port, settings.host);
  await event(server, "listening");
  const { port } = server.address() as AddressInfo;
  console.log(`Arogya Vault: http://localhost:${port} (${settings.mode})`);

  const end = () => {
    setTimeout(() => process.exit(1), LAST_SECONDS * 1000).unref();
    server.close(() => void Promise.all([once.close(), users.close()]).then(() => process.exit(0)));
  };
  for (const signal of ["SIGINT", "SIGTERM"]) process.once(signal, end);
}

/** 6 digits, good for 10 minutes, 5 attempts, 3 codes and 10 guesses per 15 minutes, 30 days of session: oncecode's defaults. */
export function options({ mode, secret, sender, domain, resendSeconds, trustedProxies }: Settings, inbox: DevInbox | undefined): OncecodeOptions {
  return {
    mode,
    secret,
    sender: sender ?? inbox?.send,
    trustedProxies,
    appName: "Arogya Vault",
    domain,
    policy: { cooldownSeconds: resendSeconds },
    // Numbers written without a country code are Indian.
    defaultRegion: "IN",
    sessions: { cookieName: "arogya_vault_session" },
  };
}

// What the environment says, read once; README.md has the names.

export interface Settings {
  /** In development codes are in the answers and messages in the inbox; in production neither is possible. */
  mode: "development" | "production";
  /** Where codes, sessions and limits are: any store of oncecode. */
  store: string;
  /** Where users are: PostgreSQL; without it, in memory. */
  databaseUrl: string | undefined;
  secret: string | undefined;
  /** How codes go out, such as `twilio:`; without it, to the inbox of development. */
  sender: string | undefined;
  /** The site that codes in SMS are bound to, such as `vault.example`: browsers fill them in there, and nowhere else. */
  domain: string | undefined;
  /** Seconds until the next code may be asked for. */
  resendSeconds: number;
  /** Whose `X-Forwarded-For` is believed. */
  trustedProxies: string[];
  host: string;
  port: number;
}

type Environment = Readonly<Record<string, string | undefined>>;

/** Throws an `Error` that says what to change. `unsaid` is the mode where the environment names none. */
export function readSettings(env: Environment, unsaid: Settings["mode"] = "production"): Settings {
  const said = env["ONCECODE_MODE"] || env["NODE_ENV"] || unsaid;
  const mode = said === "development" || said === "test" ? "development" : "production";
  const store = env["ONCECODE_STORE"] || env["REDIS_URL"] || (mode === "development" ? "memory:" : undefined);
  if (store === undefined) throw new Error("REDIS_URL (or ONCECODE_STORE) must say where codes and sessions are kept");
  return {
    mode,
    store,
    databaseUrl: env["DATABASE_URL"] || undefined,
    secret: env["ONCECODE_SECRET"] || env["SESSION_SECRET"] || undefined,
    sender: env["ONCECODE_SENDER"] || undefined,
    domain: env["DOMAIN"] || undefined,
    resendSeconds: whole(env, "RESEND_SECONDS", 60, 86_400),
    trustedProxies: (env["TRUSTED_PROXIES"] ?? "").split(",").map((proxy) => proxy.trim()).filter(Boolean),
    host: env["HOST"] || "127.0.0.1",
    port: whole(env, "PORT", 3000, 65_535),
  };
}

function whole(env: Environment, name: string, unsaid: number, most: number): number {
  const said = Number(env[name] || unsaid);
  if (!Number.isInteger(said) || said < 0 || said > most) throw new Error(`${name} must be a whole number, at most ${most}`);
  return said;
}

import { LONE_SURROGATE, not } from "./arguments.cjs";
import { OncecodeError } from "./errors.cjs";
import type { LimitDefinition } from "./limits.cjs";

/** The options of `Oncecode.open`, all optional. What is `undefined` counts as absent. */
export interface OncecodeOptions {
  /**
   * Keys all digests: at least 32 bytes in production, from a CSPRNG (`openssl rand -base64 32`). A list, newest first,
   * rotates. Required in production.
   */
  secret?: string | readonly string[] | undefined;
  /** Names addresses in keys; must stay the same across rotations. Default: the last of `secret`. */
  indexSecret?: string | undefined;
  /** `"production"` (default), or `"development"`: `console:` is the default sender and `issue` returns the code. */
  mode?: "production" | "development" | undefined;
  /** Rules for codes; what is absent keeps its default. */
  policy?: PolicyOptions | undefined;
  /** Rules that differ for some purposes, by purpose. */
  purposes?: Readonly<Record<string, PolicyOptions>> | undefined;
  /** Codes that are known beforehand, for listed identifiers. Default: none. */
  testCodes?: TestCodeOptions | null | undefined;
  /** Named limits for `once.limits`, by name, beside the presets or instead of them. */
  limits?: Readonly<Record<string, LimitDefinition>> | undefined;
  /** `false` lets every hit of `once.limits` pass. Default true. */
  rateLimits?: boolean | undefined;
  /**
   * The proxies whose `X-Forwarded-For` is believed: addresses, networks such as `"10.0.0.0/8"`, and the names
   * `"loopback"`, `"linklocal"`, `"uniquelocal"` (private networks). Default: none.
   */
  trustedProxies?: readonly string[] | undefined;
  /** Rules for sessions; what is absent keeps its default. */
  sessions?: SessionOptions | undefined;
  /** Keys and rules for tokens (JWT); what is absent keeps its default. */
  tokens?: TokenOptions | undefined;
  /** Rules for links; what is absent keeps its default. */
  links?: LinkOptions | undefined;
  /**
   * Who sends: `"twilio:"` or `"msg91:"` (phones), `"sendgrid:"`, `"smtp://…"` or `"smtps://…"` (emails), `"webhook+https://…"`,
   * `"console:"` or `"none:"` (these two in development only), a webhook by its template, or a function of yours. Of a list, the
   * first that serves an address sends, and the next where it surely did not: docs/senders.md.
   */
  sender?: SenderOption | readonly SenderOption[] | undefined;
  /** Told of everything that happens, soon after. Default: nobody is. */
  events?: ((event: OncecodeEvent) => void) | undefined;
  /** The app's name in messages. */
  appName?: string | undefined;
  /** Templates of your own for messages, by purpose (`"*"` for all) and BCP 47 locale: docs/messages.md. */
  messages?: Readonly<Record<string, Readonly<Record<string, MessageTemplates>>>> | undefined;
  /** The BCP 47 locale of messages for which none was asked, or one that has no texts. Default `"en"`. */
  locale?: string | undefined;
  /**
   * The site that codes in SMS are bound to, such as `"example.com"`: browsers fill them in there. A list names the page's site
   * and that of its frame which asks for the code.
   */
  domain?: string | readonly string[] | null | undefined;
  /** ISO 3166-1 alpha-2 region, such as `"IN"`, of phone numbers written without a country code. Default: none. */
  defaultRegion?: string | undefined;
  /** Separates apps that share a store. Default `"oncecode"`. */
  keyPrefix?: string | undefined;
  /** Keeps addresses legible in keys, for debugging. Default false. Not in production. */
  readableKeys?: boolean | undefined;
  /** The bound of every store call, connecting included, in milliseconds. Default 250. */
  deadlineMs?: number | undefined;
  /** When a store that does not answer is left alone. On by default; `false` switches it off. */
  breaker?: BreakerOptions | boolean | null | undefined;
  /** The bound of sending a message, in milliseconds. Default 10 000. */
  sendDeadlineMs?: number | undefined;
  /**
   * Sends beside the operation, which does not wait for it: the result is an event, and `close` waits for what is under way. Off
   * by default.
   */
  sendInBackground?: BackgroundOptions | boolean | null | undefined;
  /** SQL stores: what table names begin with. Default `"oncecode_"`. */
  tablePrefix?: string | undefined;
  /** PostgreSQL: the schema of the tables. Default: the connection's own. Not for MySQL. */
  schema?: string | undefined;
  /** SQL stores: connections at most. Default 10. */
  maxConnections?: number | undefined;
  /** SQL stores: deleting expired rows in the background; `false` switches it off. Default every 300 s. */
  purge?: PurgeOptions | boolean | null | undefined;
}

/** How messages are sent in the background. They keep the process alive until they are sent. */
export interface BackgroundOptions {
  /** Messages that wait or are being sent, 1 to 100 000; one more is refused with `DELIVERY_FAILED`. Default 1000. */
  capacity?: number | undefined;
  /** Messages being sent at once, 1 to 1000. Default 16. */
  concurrency?: number | undefined;
}

/** How expired rows are deleted in the background. It keeps no process alive and ends with `close`. */
export interface PurgeOptions {
  /** How often, give or take half, so that many processes do not do it at once: 0.01 to 86 400. Default 300. */
  intervalSeconds?: number | undefined;
  /** Rows deleted by one statement, 1 to 100 000; statements follow each other until all is done. Default 1000. */
  batch?: number | undefined;
}

/** The circuit breaker. */
export interface BreakerOptions {
  /** Outages in a row after which it opens, 1 to 1000; calls that fail together count as one. Default 5. */
  failures?: number | undefined;
  /** Between its opening and the first probe, in milliseconds. Default 1000. */
  probeIntervalMs?: number | undefined;
  /**
   * What the interval grows to, doubled by each probe that fails, in milliseconds. Default 5000, or the interval where
   * that is longer.
   */
  maxProbeIntervalMs?: number | undefined;
}

/** Rules for codes. `false` switches a limit off. */
export interface PolicyOptions {
  /** Characters in a code, 4 to 10. Default 6. */
  codeLength?: number | undefined;
  /** What codes are made of; the letters leave out look-alikes. Default `"digits"`. */
  codeAlphabet?: "digits" | "letters" | undefined;
  /** Life of a code, in seconds. Default 600. */
  ttlSeconds?: number | undefined;
  /** Codes compared with one challenge, 1 to 100. Default 5. */
  maxAttempts?: number | undefined;
  /** Between two issues for an address, in seconds. Default 60. */
  cooldownSeconds?: number | undefined;
  /** Issues per address. Default 3 per 900 s. */
  issueLimit?: LimitOptions | false | null | undefined;
  /** Comparisons per address. Default 10 per 900 s. */
  verifyLimit?: LimitOptions | false | null | undefined;
  /** Wrong codes per address over all its challenges; a right code resets it. Default 30 per 24 h. */
  failureBudget?: LimitOptions | false | null | undefined;
  /** Issues per IP address (IPv6: per /64). Default 30 per 900 s. */
  ipIssueLimit?: LimitOptions | false | null | undefined;
  /** Verifications per IP address (IPv6: per /64). Default 100 per 900 s. */
  ipVerifyLimit?: LimitOptions | false | null | undefined;
  /** What `resend` does: a new code (`"rotate"`, default), or the same while half its life is left (`"keep"`). */
  resend?: "rotate" | "keep" | undefined;
}

/** Fixed codes for testers and app-store reviewers. */
export interface TestCodeOptions {
  /**
   * The code of each phone number or email address. Nothing is sent to them; every other rule holds for them as well. A purpose
   * whose codes have another length or alphabet is served as ever.
   */
  codes: Readonly<Record<string, string>>;
  /** When it ends: an RFC 3339 date and time, or a date, which is the last day in UTC. At most 366 days ahead. */
  until: string;
  /** Those of them that are meant for production as well, each by name. Without it, production refuses to start. */
  allowInProduction?: readonly string[] | undefined;
}

/** Rules for sessions. */
export interface SessionOptions {
  /** The absolute life of a session. Default 30 days. */
  ttlSeconds?: number | undefined;
  /** A session that is not used for so long ends. Default: none but the absolute life. */
  idleSeconds?: number | undefined;
  /** Activity is written at most once in so many seconds. Default 60. */
  activitySeconds?: number | undefined;
  /** For so long after a rotation the old token is still good. Default 0, at most 300. */
  rotationGraceSeconds?: number | undefined;
  /** Sessions a user may have, 1 to 200. Default 50. */
  maxPerUser?: number | undefined;
  /** The cookie's name; production puts `__Host-` before it. Default `"session"`. */
  cookieName?: string | undefined;
}

/** A key: a text is an HS256 secret of at least 32 bytes. PEM and JWK may be private or public: P-256, Ed25519 or RSA. */
export type TokenKey =
  | string
  | { secret: string; kid?: string | undefined }
  | { pem: string; kid?: string | undefined }
  | { jwk: Readonly<Record<string, unknown>>; kid?: string | undefined };

/** Keys and rules for tokens. */
export interface TokenOptions {
  /** At most 16. The first that can sign signs, all verify. Default: HS256 keys derived from `secret`. */
  keys?: readonly TokenKey[] | undefined;
  /** Written as `iss` and demanded when verifying. Default: none. */
  issuer?: string | undefined;
  /** Written as `aud` and demanded when verifying. Without it, tokens for an audience are refused. */
  audience?: string | undefined;
  /** Life of a token. Default 900, at most 29 days. */
  ttlSeconds?: number | undefined;
  /** How far clocks may differ when `exp` and `nbf` are checked. Default 0, at most 600. */
  leewaySeconds?: number | undefined;
  /** For how long a process may go on with what it knows of revocations. Default 5, at most 300. */
  cacheSeconds?: number | undefined;
  /** Of how many users at most. Default 10 000. */
  cacheEntries?: number | undefined;
  /** Your own table of users, where it has a column of token versions. Default: versions are kept in the store. */
  users?: UsersOptions | undefined;
}

/** Your own table of users, whose column says which version a user's tokens must have. */
export interface UsersOptions {
  /** The database: `postgres://…`, `mysql://…` or `sqlite:PATH`. Default: the store's, where that is one of these. */
  url?: string | undefined;
  /** The table, with its schema (MySQL: its database) before a dot if need be. Default `users`. */
  table?: string | undefined;
  /** The column that tokens name in `sub`: whole numbers, text or UUIDs, and unique. Default `id`. */
  idColumn?: string | undefined;
  /** The column of the version: `integer` or `bigint`. Default `token_version`. */
  versionColumn?: string | undefined;
  /**
   * For so long the store may go on with what it was told of a version: so late is seen what you change by SQL of your own.
   * Default 60, at most 3600; 0 asks the table each time a process does not know.
   */
  cacheSeconds?: number | undefined;
}

/** Rules for links. */
export interface LinkOptions {
  /** Life of a link. Default 24 hours, at most 7 days. */
  ttlSeconds?: number | undefined;
  /** Verify needs no store, and accepts a link as often as it comes. Default false. */
  stateless?: boolean | undefined;
}

/**
 * Templates of a purpose in a language; what is absent keeps its default. `{code}`, `{app}`, `{minutes}` (a number) and
 * `{duration}` (such as `10 minutes`) are filled in.
 */
export interface MessageTemplates {
  /** What a phone gets, with `{code}`. */
  sms?: string | null | undefined;
  /** An email's subject. */
  subject?: string | null | undefined;
  /** An email's text, with `{code}`. The HTML is made from it, unless `html` is given. */
  text?: string | null | undefined;
  /** An email's HTML, with `{code}`, for which `text` must be there too. */
  html?: string | null | undefined;
  /** The same for `once.links`, with `{link}` instead of `{code}`. */
  link?: LinkTemplates | undefined;
}

/** Templates of messages with a link. */
export interface LinkTemplates {
  /** What a phone gets, with `{link}`. */
  sms?: string | null | undefined;
  /** An email's subject. */
  subject?: string | null | undefined;
  /** An email's text, with `{link}`. The HTML is made from it, unless `html` is given. */
  text?: string | null | undefined;
  /** An email's HTML, with `{link}`, for which `text` must be there too. */
  html?: string | null | undefined;
}

/** So many per so many seconds. */
export interface LimitOptions {
  /** From 1 to 65535. */
  max: number;
  /** Above 0, at most 30 days. */
  windowSeconds: number;
}

/** Who sends: a URL, a webhook, or a function. */
export type SenderOption = string | WebhookOptions | SendMessage;

/**
 * How a gateway is asked. `{to}`, `{digits}` (`to` without its `+`), `{text}`, `{code}`, `{link}`, `{subject}`, `{html}`, `{id}`,
 * `{purpose}`, `{locale}`, `{minutes}` and `{key}` (the same for every try of one message) are filled in, escaped for the
 * place where they stand.
 */
export interface WebhookOptions {
  /** `https://…`; `http://…` for a gateway nearby. Placeholders may stand in its path and query. */
  url: string;
  /** Default `"POST"`. */
  method?: string | undefined;
  /** Such as `{ Authorization: "Bearer …" }`. */
  headers?: Readonly<Record<string, string>> | undefined;
  /** Default: JSON of all there is. Of `GET`: none. */
  body?: string | undefined;
  /** `"application/json"` (default), `"application/x-www-form-urlencoded"`, `"text/xml"`, `"text/plain"`. */
  contentType?: string | undefined;
  /** What it serves; default both. */
  serves?: "phone" | "email" | undefined;
  /** What the body of a successful answer holds, for gateways that answer 200 to everything. */
  expect?: string | undefined;
  /** Whether it knows a message by the header `Idempotency-Key`: then it is asked again where its answer was lost. */
  idempotent?: boolean | undefined;
}

/**
 * Sends a message. When it throws, rejects or takes longer than `sendDeadlineMs`, the operation fails with
 * `DELIVERY_FAILED`, and cooldown and quota are given back. It runs in the async context of the operation
 * (`AsyncLocalStorage`). In a list, an error with `notSent: true` says that nothing was sent, so that the next may.
 */
export type SendMessage = (message: Message) => void | Promise<unknown>;

/** A message that carries a code or a link. Don't log it. */
export interface Message {
  /** Whom to send to: a phone number in E.164 form or an email address. */
  to: string;
  /** What the code is for. */
  purpose: string;
  /** The code; empty where there is a link instead. */
  code: string;
  /** The link, of `once.links.send`. */
  link?: string;
  /** The subject, for emails. */
  subject: string;
  /** The text to send, code or link included. */
  text: string;
  /** The same as HTML, for emails alone. */
  html?: string;
  /** How many SMS the text takes, for phones alone. */
  segments?: number;
  /** The challenge id: the same for a code that is sent again. Of a link, its own. */
  id: string;
  /** The BCP 47 locale that was asked for. */
  locale?: string;
  /** The life the code or link has left, in whole seconds. */
  expiresInSeconds: number;
}

/** What happened to a code, or to the store. */
export type OncecodeEventKind =
  | "CREATED"
  | "ISSUE_REFUSED"
  | "DELIVERY_FAILED"
  | "VERIFIED"
  | "VERIFICATION_FAILED"
  | "CANCELLED"
  | "STORE_DOWN"
  | "STORE_UP";

/** Something that happened. Addresses are masked; codes never appear. */
export interface OncecodeEvent {
  /**
   * The stable name: the purpose in capitals and what happened, such as `SIGNUP_OTP_VERIFIED`. Of the store, `STORE_DOWN`
   * (it did not answer several times in a row; calls fail at once from now on) and `STORE_UP`.
   */
  name: string;
  /** What happened, without the purpose. */
  kind: OncecodeEventKind;
  /** The purpose, as given; absent for what concerns the store. */
  purpose?: string;
  /** The scheme of the store's URL, such as `"redis"`, for what concerns the store. */
  store?: string;
  /** The masked address; absent where only a challenge id was known. */
  identifier?: string;
  /** Why it was refused or failed: an error code such as `WRONG_CODE`. */
  reason?: string;
  /** Attempts left, where that is known. */
  attemptsLeft?: number;
  /** When. */
  at: Date;
}

/** The app's functions among the options. */
export interface Hooks {
  readonly sends: readonly SendMessage[];
  readonly tell: ((event: OncecodeEvent) => unknown) | undefined;
}

/** Options as the core reads them, and apart from them the app's functions. */
export function split(options: unknown): { json: string; hooks: Hooks } {
  try {
    const { sender, events, ...rest } = object(options);
    const sends: SendMessage[] = [];
    // Rust knows a function by its place.
    const named = (one: unknown) => (typeof one === "function" ? `callback:${sends.push(one as SendMessage) - 1}` : one);
    const senders = Array.isArray(sender) ? sender.map(named) : named(sender);
    const plain = typeof sender === "function" ? rest : { sender: senders, ...rest };
    return { json: JSON.stringify(plain, expressible), hooks: { sends, tell: listener(events) } };
  } catch (cause) {
    if (cause instanceof OncecodeError) throw cause;
    // Without the cause, whose message may repeat a secret.
    throw config("options must be plain data: no cycles, no getters that throw");
  }
}

/** The functions that `Oncecode.fromEnv` takes. */
export function hooksOnly(given: unknown): Hooks {
  const { json, hooks } = split(given);
  if (json !== "{}") throw config("fromEnv takes the functions `sender` and `events`; the rest is the environment's");
  return hooks;
}

export function storeUrl(url: unknown): string {
  if (typeof url !== "string") throw config(`the store's URL must be a string such as "memory:", ${not(url)}`);
  if (LONE_SURROGATE.test(url)) throw config("the store's URL must be valid Unicode; it holds a lone surrogate");
  return url;
}

function object(options: unknown): Record<string, unknown> {
  const plain = typeof options === "object" && options !== null && !Array.isArray(options);
  if (!plain) throw config(`options must be an object, ${not(options)}`);
  return options as Record<string, unknown>;
}

function listener(events: unknown): Hooks["tell"] {
  if (events === undefined || events === null) return undefined;
  if (typeof events !== "function") throw config(`events must be a function, ${not(events)}`);
  return events as NonNullable<Hooks["tell"]>;
}

/** Refuses what JSON.stringify would leave out or change: a secret or a limit must not silently be the default. */
function expressible(name: string, value: unknown): unknown {
  const said = typeof value;
  if (said === "function" || said === "symbol" || said === "bigint") throw config(`${name} can't be of type ${said}`);
  if (said === "number" && !Number.isFinite(value)) throw config(`${name} must be a finite number`);
  if (LONE_SURROGATE.test(name) || (said === "string" && LONE_SURROGATE.test(value as string))) {
    throw config(`${LONE_SURROGATE.test(name) ? "an option's name" : name} must be valid Unicode; it holds a lone surrogate`);
  }
  return value;
}

function config(message: string): OncecodeError {
  return new OncecodeError("CONFIG", message);
}

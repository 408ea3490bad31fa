// `oncecode/client`: the endpoints from a browser. Plain fetch; nothing native comes along.

import type { OncecodeErrorCode } from "./errors.cjs";

/** Where the endpoints are, and how they are asked. */
export interface AuthClientOptions {
  /** Where the router is mounted. Default `"/api/auth"`. */
  baseUrl?: string | undefined;
  /** Default: the global `fetch`. */
  fetch?: typeof fetch | undefined;
  /** Cookies: `"same-origin"` (default), or `"include"` where the API has another origin. */
  credentials?: RequestCredentials | undefined;
  /** Sent with every request; a function is asked each time, such as for a bearer token. */
  headers?: Readonly<Record<string, string>> | (() => Readonly<Record<string, string>>) | undefined;
  /** After how long an answer is given up, in milliseconds. Default 15 000. */
  timeoutMs?: number | undefined;
}

/** Whom a code is for: one of the addresses. */
export interface Address {
  phoneNumber?: string | undefined;
  email?: string | undefined;
  /** Either. */
  to?: string | undefined;
  /** What the code is for; the server's first where it is absent. */
  purpose?: string | undefined;
}

/** A code is on its way. */
export interface OtpSent {
  success: true;
  message: string;
  /** Names the code: given to `verifyOTP`, it binds the code to this browser. */
  id: string;
  /** Seconds that the code lives. */
  expiresIn: number;
  /** Seconds until the next may be asked for. */
  retryAfter: number;
  attemptsLeft: number;
  /** The code, in development alone. */
  otp?: string;
}

/** The address is proven. */
export interface OtpVerified<User = Record<string, unknown>> {
  success: true;
  message: string;
  verified: true;
  /** The session's token, unless the server keeps it to the cookie. Don't store it where scripts can read it. */
  token?: string;
  user?: User;
}

/** A link is on its way. */
export interface LinkSent {
  success: true;
  message: string;
  /** Seconds that the link lives. */
  expiresIn: number;
  /** The link, in development alone. */
  link?: string;
}

/** Who is logged in. */
export interface CurrentSession<User = Record<string, unknown>> {
  session: { userId: string; expiresAt: string; id?: string; createdAt?: string; lastActiveAt?: string };
  user?: User;
}

/** A code of an {@link AuthError}: the server's, or `NETWORK` where no answer came, or `UNEXPECTED` where it was not ours. */
export type AuthErrorCode = OncecodeErrorCode | "NETWORK" | "UNEXPECTED";

/** Why a request failed; `message` can be shown to the user. */
export class AuthError extends Error {
  override readonly name = "AuthError";
  /** Stable, such as `WRONG_CODE`. */
  readonly code: AuthErrorCode;
  /** The HTTP status; 0 where no answer came. */
  readonly status: number;
  /** Seconds until it may be tried again. */
  readonly retryAfter: number | undefined;
  /** Tries left on the code. */
  readonly attemptsLeft: number | undefined;

  constructor(
    code: AuthErrorCode,
    message: string,
    details: { status?: number; retryAfter?: number | undefined; attemptsLeft?: number | undefined; cause?: unknown } = {},
  ) {
    super(message, details.cause === undefined ? undefined : { cause: details.cause });
    this.code = code;
    this.status = details.status ?? 0;
    this.retryAfter = details.retryAfter;
    this.attemptsLeft = details.attemptsLeft;
  }
}

/** The endpoints. All methods reject with an {@link AuthError}, never with anything else. */
export interface AuthClient<User = Record<string, unknown>> {
  requestOTP(request: Address & { locale?: string | undefined; [field: string]: unknown }): Promise<OtpSent>;
  verifyOTP(request: Address & { otp: string; id?: string | undefined; [field: string]: unknown }): Promise<OtpVerified<User>>;
  resendOTP(request: Address & { id?: string | undefined; locale?: string | undefined }): Promise<OtpSent>;
  requestEmailLink(request: { email: string; [field: string]: unknown }): Promise<LinkSent>;
  /** Looks whether a link is good, and does not use it up. */
  checkEmailLink(token: string): Promise<void>;
  verifyEmailLink(request: { token: string; email?: string | undefined; [field: string]: unknown }): Promise<OtpVerified<User>>;
  /** Who is logged in, or `null`. */
  session(): Promise<CurrentSession<User> | null>;
  logout(): Promise<void>;
}

/**
 * ```js
 * const auth = createAuthClient({ baseUrl: "/api/auth" });
 * const { id } = await auth.requestOTP({ phoneNumber: "+15551234567" });
 * await auth.verifyOTP({ phoneNumber: "+15551234567", otp: "123 456", id });
 * ```
 */
export function createAuthClient<User = Record<string, unknown>>(options: AuthClientOptions = {}): AuthClient<User> {
  const ask = asker(options);
  const post = <Answer,>(path: string, body?: object) => ask("POST", path, body) as Promise<Answer>;
  return {
    requestOTP: (request) => post("/otp/request", request),
    verifyOTP: (request) => post("/otp/verify", request),
    resendOTP: (request) => post("/otp/resend", request),
    requestEmailLink: (request) => post("/email/request", request),
    checkEmailLink: async (token) => void (await ask("GET", `/email/verify?token=${encodeURIComponent(token)}`)),
    verifyEmailLink: (request) => post("/email/verify", request),
    session: async () => {
      try {
        const { session, user } = (await ask("GET", "/session")) as CurrentSession<User>;
        return user === undefined ? { session } : { session, user };
      } catch (error) {
        if (error instanceof AuthError && error.status === 401) return null;
        throw error;
      }
    },
    logout: async () => void (await post("/logout")),
  };
}

function asker({ baseUrl = "/api/auth", credentials = "same-origin", headers = {}, timeoutMs = 15_000, ...rest }: AuthClientOptions) {
  const base = baseUrl.replace(/\/+$/, "");
  return async (method: string, path: string, body?: object): Promise<unknown> => {
    const own = typeof headers === "function" ? headers() : headers;
    const json = body === undefined ? {} : { "content-type": "application/json" };
    const ending = new AbortController();
    const timer = setTimeout(() => ending.abort(), timeoutMs);
    try {
      const answer = await (rest.fetch ?? fetch)(base + path, {
        method,
        credentials,
        headers: { accept: "application/json", ...json, ...own },
        signal: ending.signal,
        ...(body !== undefined && { body: JSON.stringify(body) }),
      });
      return read(answer.status, await answer.text());
    } catch (cause) {
      if (cause instanceof AuthError) throw cause;
      throw new AuthError("NETWORK", "No answer came. Please check your connection and try again.", { cause });
    } finally {
      clearTimeout(timer);
    }
  };
}

function read(status: number, text: string): unknown {
  const said = parsed(text);
  if (status >= 200 && status < 300 && said?.["success"] === true) return said;
  if (said?.["success"] !== false || typeof said["code"] !== "string") {
    // Of a proxy, or of a server that has no such endpoint.
    throw new AuthError("UNEXPECTED", "Something went wrong. Please try again later.", { status });
  }
  const { code, message, retryAfter, attemptsLeft } = said as { code: AuthErrorCode; message: string } & Record<string, number>;
  throw new AuthError(code, String(message), { status, retryAfter, attemptsLeft });
}

function parsed(text: string): Record<string, unknown> | undefined {
  try {
    const said: unknown = JSON.parse(text);
    return typeof said === "object" && said !== null ? (said as Record<string, unknown>) : undefined;
  } catch {
    return undefined;
  }
}

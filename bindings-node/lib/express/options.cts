import type { Request } from "express";
import { OncecodeError } from "../errors.cjs";
import type { Link } from "../index.cjs";

/** A user as the answer shows them: everything in it goes to the browser. */
export type User = { id: string | number } & Record<string, unknown>;

/** An address that somebody has just proven to be theirs. */
export interface ProvenAddress {
  /** The phone number or email address, normalised. */
  identifier: string;
  /** What the code or link was for. */
  purpose: string;
  /** The app's own fields (`fields`) of the request for the code or link. */
  data: Readonly<Record<string, unknown>>;
  /** The app's own fields of this request. */
  fields: Readonly<Record<string, unknown>>;
  /** By a code, or by a link in an email. */
  by: "code" | "link";
}

/** What {@link router} can be told. */
export interface RouterOptions {
  /**
   * Finds or makes the user of a proven address. What it returns is shown in the answer as `user` and logged in; nothing: the
   * address is proven, and nobody is logged in. Default: the address itself is the user.
   */
  onVerified?: ((proven: ProvenAddress, req: Request) => Promise<User | null | undefined | void> | User | null | undefined | void) | undefined;
  /** What a log-in is: a session and its cookie (default), a token (JWT) of `once.tokens`, or nothing. */
  login?: "session" | "token" | "none" | undefined;
  /** Whether the answer names the session's token too, for clients without cookies. Default true. */
  tokenInBody?: boolean | undefined;
  /** What codes may be asked for; the first where a request does not say. Default `["login"]`. */
  purposes?: readonly string[] | undefined;
  /** `user_type` of `/signup/send-otp`, which makes the purpose `signup-TYPE`. Default: none, and no such endpoint. */
  userTypes?: readonly string[] | undefined;
  /** Fields of the app's own that requests may have beside ours. */
  fields?: readonly string[] | undefined;
  /** Links in emails: `/email/request` and `/email/verify`. Default: no such endpoints. */
  links?: LinkRoutes | undefined;
  /** The user of a session, for `/session`. */
  loadUser?: ((userId: string, req: Request) => Promise<User | null | undefined> | User | null | undefined) | undefined;
}

/** How links reach people. */
export interface LinkRoutes {
  /** The page that links lead to, with `token` in its query, or with the token for `{token}`; it posts it to `/email/verify`. */
  url: string;
  /** Sends the email. Default: the client's `sender` does. What it throws is answered with `DELIVERY_FAILED`, and the limit gives back what it took. */
  send?: ((message: { to: string; url: string; data: Readonly<Record<string, unknown>> } & Pick<Link, "expiresAt">) => unknown) | undefined;
  /** What links are for. Default `"verify-email"`. */
  purpose?: string | undefined;
  /** Whether a link logs in. Default false: it proves an address only. */
  login?: boolean | undefined;
  /** The limit of `once.limits` per address and per IP address. Default `"email"`. */
  limit?: string | undefined;
}

/** The options with their defaults. */
export interface Settled extends RouterOptions {
  login: "session" | "token" | "none";
  tokenInBody: boolean;
  purposes: readonly string[];
  userTypes: readonly string[];
  fields: readonly string[];
}

const KNOWN = ["onVerified", "login", "tokenInBody", "purposes", "userTypes", "fields", "links", "loadUser"];
const RESERVED = ["to", "phoneNumber", "phone", "email", "otp", "code", "otp_code", "id", "purpose", "locale", "type", "token", "user_type"];

export function settled(options: RouterOptions): Settled {
  const wrong = (message: string) => new OncecodeError("CONFIG", message);
  if (Object.keys(options).some((name) => !KNOWN.includes(name))) throw wrong(`unknown option; known are ${KNOWN.join(", ")}`);
  const { login = "session", tokenInBody = true, purposes = ["login"], userTypes = [], fields = [] } = options;
  if (!["session", "token", "none"].includes(login)) throw wrong(`login must be "session", "token" or "none"`);
  if (purposes.length === 0) throw wrong("purposes must not be empty");
  if (fields.some((name) => RESERVED.includes(name))) throw wrong(`fields must not be of ${RESERVED.join(", ")}`);
  const { links } = options;
  if (links !== undefined && (!["function", "undefined"].includes(typeof links.send) || typeof links.url !== "string")) {
    throw wrong("links need `url`, the page they lead to, and `send` must be a function if it is there");
  }
  return { ...options, login, tokenInBody, purposes, userTypes, fields };
}

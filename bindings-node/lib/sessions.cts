import { json, optionalSeconds, optionalText, text, textOf } from "./arguments.cjs";
import { type Connection, type News, values } from "./bridge.cjs";

/** What {@link Sessions.create} needs. */
export interface SessionRequest {
  /** Whose session: any text of 1 to 255 bytes. */
  userId: string;
  /** A label for the user to know it by, such as a User-Agent; cut at 256 bytes. */
  device?: string | undefined;
  /** The address it begins from. */
  ip?: string | undefined;
  /** Anything to get back from `validate`, at most 4096 bytes of JSON. Stored encrypted. */
  data?: unknown;
  /** A shorter absolute life than the option `sessions.ttlSeconds`. */
  ttlSeconds?: number | undefined;
}

/** A live session, without its token. */
export interface Session {
  /** Names it for listing and revoking; proves nothing. */
  id: string;
  /** Whose it is. */
  userId: string;
  /** The label given at its begin. */
  device?: string;
  /** The address of its begin, or of the last activity that was written with one. */
  ip?: string;
  /** What was given at its begin. */
  data?: unknown;
  /** When it began. */
  createdAt: Date;
  /** When it was last used, exact to the option `sessions.activitySeconds`. */
  lastActiveAt: Date;
  /** When it ends if it is not used any more. */
  expiresAt: Date;
}

/** A session that began, or goes on under another token. */
export interface NewSession {
  /** 86 characters, safe in a cookie or header. It can't be had again. */
  token: string;
  /** The session. */
  session: Session;
}

/** Names a session for {@link Sessions.revoke}: by its token, or by its user and id. */
export type SessionTarget = { token: string } | { userId: string; id: string };

/** Sessions that can be listed and revoked: `once.sessions`. All methods fail with an `OncecodeError`, never with anything else. */
export class Sessions {
  readonly #connection: Connection;

  /** @internal */
  constructor(connection: Connection) {
    this.#connection = connection;
  }

  /**
   * Begins a session. The token is shown once, here. Where the user has as many sessions as they may, the one unused for
   * longest ends.
   *
   * @throws OncecodeError `INVALID_ARGUMENT`, `STORE_UNAVAILABLE`.
   */
  async create(request: SessionRequest): Promise<NewSession> {
    const user = text(request, "userId");
    const device = optionalText(request, "device");
    const ip = optionalText(request, "ip");
    const data = json(request, "data");
    const ttl = optionalSeconds(request, "ttlSeconds");
    return begun(
      values(await this.#connection.ask((client, call) => client.createSession(call, user, device, ip, data, ttl))),
    );
  }

  /**
   * The session of a token. One round trip; at most once per `activitySeconds` a second one writes the activity (and
   * `ip`).
   *
   * @throws OncecodeError `SESSION_NOT_FOUND` (expired, idle for too long, revoked, rotated, or no token of ours);
   * `INVALID_ARGUMENT`; `STORE_UNAVAILABLE`.
   */
  async validate(token: string, { ip }: { ip?: string | undefined } = {}): Promise<Session> {
    const given = textOf("token", token);
    const address = ip === undefined ? undefined : textOf("ip", ip);
    const [, , found] = values(await this.#connection.ask((client, call) => client.validateSession(call, given, address)));
    return session(JSON.parse(found as string));
  }

  /**
   * A new token for the same session. The old one is dead, or good for `rotationGraceSeconds` more.
   *
   * @throws OncecodeError `SESSION_NOT_FOUND`, `STORE_UNAVAILABLE`.
   */
  async rotate(token: string): Promise<NewSession> {
    const given = textOf("token", token);
    return begun(values(await this.#connection.ask((client, call) => client.rotateSession(call, given))));
  }

  /**
   * A user's live sessions, the one used last first.
   *
   * @throws OncecodeError `INVALID_ARGUMENT`, `STORE_UNAVAILABLE`.
   */
  async list(userId: string): Promise<Session[]> {
    const user = textOf("userId", userId);
    const [, , found] = values(await this.#connection.ask((client, call) => client.listSessions(call, user)));
    return (JSON.parse(found as string) as Shown[]).map(session);
  }

  /**
   * Ends one session. `false`: there was none.
   *
   * @throws OncecodeError `INVALID_ARGUMENT`, `STORE_UNAVAILABLE`.
   */
  async revoke(target: SessionTarget): Promise<boolean> {
    const token = optionalText(target, "token");
    const asked =
      token !== undefined
        ? this.#connection.ask((client, call) => client.revokeSession(call, token))
        : this.#revokeById(text(target, "userId"), text(target, "id"));
    const [, , revoked] = values(await asked);
    return revoked as boolean;
  }

  #revokeById(userId: string, id: string): News | Promise<News> {
    return this.#connection.ask((client, call) => client.revokeSessionById(call, userId, id));
  }

  /**
   * Ends all sessions of a user, or all but the one that `except` (its token or its id) names. Returns how many ended.
   *
   * @throws OncecodeError `INVALID_ARGUMENT`, `STORE_UNAVAILABLE`.
   */
  async revokeAll(userId: string, { except }: { except?: string | undefined } = {}): Promise<number> {
    const user = textOf("userId", userId);
    const kept = except === undefined ? undefined : textOf("except", except);
    const [, , ended] = values(await this.#connection.ask((client, call) => client.revokeSessions(call, user, kept)));
    return ended as number;
  }

  /**
   * The value of a `Set-Cookie` header for a token: HttpOnly, SameSite=Lax, in production Secure and named `__Host-…`.
   * It lasts for `maxAgeSeconds`, or as long as a session may.
   *
   * @throws OncecodeError `INVALID_ARGUMENT`.
   */
  cookie(token: string, { maxAgeSeconds }: { maxAgeSeconds?: number | undefined } = {}): string {
    const age = optionalSeconds({ maxAgeSeconds }, "maxAgeSeconds");
    const [, , cookie] = values(this.#connection.now((client) => client.sessionCookie(textOf("token", token), age)));
    return cookie as string;
  }

  /** The value of a `Set-Cookie` header that removes the cookie. */
  clearCookie(): string {
    return values(this.#connection.now((client) => client.clearSessionCookie()))[2] as string;
  }

  /** The token in a `Cookie` header, or `undefined`. */
  readCookie(header: string | undefined): string | undefined {
    if (header === undefined) return undefined;
    const given = textOf("header", header);
    return values(this.#connection.now((client) => client.readSessionCookie(given)))[2] as string | undefined;
  }
}

interface Shown extends Record<"device" | "ip" | "data", unknown>, Record<"createdAt" | "lastActiveAt" | "expiresAt", number> {
  id: string;
  userId: string;
}

function begun([, , found, token]: News): NewSession {
  return { token: token as string, session: session(JSON.parse(found as string)) };
}

function session({ device, ip, data, ...rest }: Shown): Session {
  const session: Session = {
    id: rest.id,
    userId: rest.userId,
    createdAt: new Date(rest.createdAt),
    lastActiveAt: new Date(rest.lastActiveAt),
    expiresAt: new Date(rest.expiresAt),
  };
  if (device !== null) session.device = device as string;
  if (ip !== null) session.ip = ip as string;
  if (data !== null) session.data = data;
  return session;
}

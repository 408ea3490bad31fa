import { json, optionalText, text } from "./arguments.cjs";
import { type Connection, type News, values } from "./bridge.cjs";

/** What {@link Codes.issue} needs. */
export interface IssueRequest {
  /** A phone number or an email address, in any usual spelling. */
  to: string;
  /** What the code is for, such as `"login"`: 1 to 64 letters, digits, `_`, `-`, `.` or `:`. Purposes are separate. */
  purpose: string;
  /** The caller's IP address, for the limits per address. */
  ip?: string | undefined;
  /** The message's BCP 47 locale. */
  locale?: string | undefined;
  /** Anything to get back from `verify`, at most 8192 bytes of JSON. Stored encrypted. */
  data?: unknown;
}

/** Names a challenge for {@link Codes.cancel} and {@link Codes.peek}: by `to`, `id` or both. */
export interface Target {
  /** The address the code was sent to. */
  to?: string | undefined;
  /** The challenge id from `issue`: binds the code to whoever asked for it. */
  id?: string | undefined;
  /** The purpose given at issue. */
  purpose: string;
}

/** What {@link Codes.verify} needs: `to`, `id` or both. */
export interface VerifyRequest extends Target {
  /** What the user typed. Spaces, dashes and other scripts' digits are understood. */
  code: string;
  /** The caller's IP address, for the limits per address. */
  ip?: string | undefined;
}

/** What {@link Codes.resend} needs: `to`, `id` or both. */
export interface ResendRequest extends Target {
  /** The caller's IP address, for the limits per address. */
  ip?: string | undefined;
  /** The message's BCP 47 locale. */
  locale?: string | undefined;
}

/** A live challenge, without its code. */
export interface Challenge {
  /** The challenge id: give it to the browser to bind the code to it. */
  id: string;
  /** When the code expires. */
  expiresAt: Date;
  /** When the next code may be asked for. */
  resendAt: Date;
  /** Wrong codes that may still be tried. */
  attemptsLeft: number;
}

/** A code is on its way. */
export interface Sent extends Challenge {
  /** The code, in development mode only. */
  code?: string;
}

/** The code was right. */
export interface Verified {
  /** The address that is now proven, normalised. */
  identifier: string;
  /** The purpose. */
  purpose: string;
  /** What was given at issue. */
  data?: unknown;
}

/** One-time codes: `once.codes`. All methods reject with an `OncecodeError`, never with anything else. */
export class Codes {
  readonly #connection: Connection;

  /** @internal */
  constructor(connection: Connection) {
    this.#connection = connection;
  }

  /**
   * Sends a new code. An older one of the same address and purpose is dead from then on.
   *
   * @throws OncecodeError `INVALID_PHONE`, `INVALID_EMAIL`, `INVALID_ARGUMENT`; `COOLDOWN`, `RATE_LIMITED` and
   * `TOO_MANY_ATTEMPTS` (the failure budget is spent) with `retryAfterSeconds`; `DELIVERY_FAILED` (nothing was counted);
   * `STORE_UNAVAILABLE`.
   */
  async issue(request: IssueRequest): Promise<Sent> {
    const to = text(request, "to");
    const purpose = text(request, "purpose");
    const ip = optionalText(request, "ip");
    const locale = optionalText(request, "locale");
    const data = json(request, "data");
    return sent(values(await this.#connection.ask((client, call) => client.issue(call, to, purpose, ip, locale, data))));
  }

  /**
   * Accepts the right code, once.
   *
   * @throws OncecodeError `WRONG_CODE` with `attemptsLeft`; `CODE_NOT_FOUND` (never issued, expired, cancelled, used, or
   * another `id`); `TOO_MANY_ATTEMPTS` and `RATE_LIMITED` with `retryAfterSeconds`, nothing compared; `INVALID_CODE` (not
   * a code's length and alphabet, nothing counted); `INVALID_PHONE`, `INVALID_EMAIL`, `INVALID_ARGUMENT`;
   * `STORE_UNAVAILABLE`.
   */
  async verify(request: VerifyRequest): Promise<Verified> {
    const { to, id, purpose } = target(request);
    const code = text(request, "code");
    const ip = optionalText(request, "ip");
    const [, , identifier, data] = values(
      await this.#connection.ask((client, call) => client.verify(call, to, id, purpose, code, ip)),
    );
    const verified: Verified = { identifier: identifier as string, purpose };
    if (data !== undefined) verified.data = JSON.parse(data as string);
    return verified;
  }

  /**
   * Sends again: a new code, or the same where the policy says `"keep"`. Data given at issue is carried over. With `to`
   * it works without a live code as well, like {@link Codes.issue}.
   *
   * @throws OncecodeError As {@link Codes.issue}, and `CODE_NOT_FOUND` when `id` names no live challenge.
   */
  async resend(request: ResendRequest): Promise<Sent> {
    const { to, id, purpose } = target(request);
    const ip = optionalText(request, "ip");
    const locale = optionalText(request, "locale");
    return sent(values(await this.#connection.ask((client, call) => client.resend(call, to, id, purpose, ip, locale))));
  }

  /**
   * Kills the live code. Cooldown and quota stay as they are. `false`: there was none.
   *
   * @throws OncecodeError `INVALID_PHONE`, `INVALID_EMAIL`, `INVALID_ARGUMENT`; `STORE_UNAVAILABLE`.
   */
  async cancel(request: Target): Promise<boolean> {
    const { to, id, purpose } = target(request);
    const [, , cancelled] = values(await this.#connection.ask((client, call) => client.cancel(call, to, id, purpose)));
    return cancelled as boolean;
  }

  /**
   * What is live, or `null`. Reads only.
   *
   * @throws OncecodeError `INVALID_PHONE`, `INVALID_EMAIL`, `INVALID_ARGUMENT`; `STORE_UNAVAILABLE`.
   */
  async peek(request: Target): Promise<Challenge | null> {
    const { to, id, purpose } = target(request);
    const live = values(await this.#connection.ask((client, call) => client.peek(call, to, id, purpose)));
    return live[2] === undefined ? null : challenge(live);
  }
}

function target(request: Target) {
  const to = optionalText(request, "to");
  return { to, id: optionalText(request, "id"), purpose: text(request, "purpose") };
}

function challenge([, , id, expiresAtMs, resendAtMs, attemptsLeft]: News): Challenge {
  return {
    id: id as string,
    expiresAt: new Date(expiresAtMs as number),
    resendAt: new Date(resendAtMs as number),
    attemptsLeft: attemptsLeft as number,
  };
}

function sent(news: News): Sent {
  const sent: Sent = challenge(news);
  if (news[6] !== undefined) sent.code = news[6] as string;
  return sent;
}

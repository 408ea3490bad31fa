import native = require("../native/index.cjs");
import { moment, optionalText, optionalWhole, text, texts } from "./arguments.cjs";
import { type Connection, values } from "./bridge.cjs";

/** What a secret is enrolled with. */
export interface OtpSettings {
  /** Many authenticator apps know SHA-1 only, which is sound in an HMAC. Default `"SHA1"`. */
  algorithm?: "SHA1" | "SHA256" | "SHA512" | undefined;
  /** 6 to 8. Default 6. */
  digits?: number | undefined;
  /** 10 to 300. Default 30. */
  periodSeconds?: number | undefined;
}

/** What {@link Totp.check} needs. */
export interface TotpCode extends OtpSettings {
  /** The user's secret in base32. */
  secret: string;
  /** What the user typed. Spaces, dashes and other scripts' digits are understood. */
  code: string;
  /** Steps before and after the present one that count as well, 0 to 10; with a counter, how far ahead to look. Default 1. */
  window?: number | undefined;
  /** RFC 4226: the counter that is expected next. */
  counter?: number | undefined;
}

/** What {@link Totp.verify} needs. */
export interface TotpRequest extends TotpCode {
  /** Whose code it is, such as the user's id: 1 to 1024 bytes. */
  user: string;
}

/** A code was right, for the first time. */
export interface TotpAccepted {
  /** The time step or counter of the code. The next counter is one higher. */
  step: number;
  /** Steps that the user's clock is ahead (or, negative, behind), or the counter ahead. */
  drift: number;
}

/** What a user scans. */
export interface Enrolment {
  /** Base32. Store it encrypted: it is as good as a password. */
  secret: string;
  /** The `otpauth://` URI, for {@link Totp.qrSvg} and {@link Totp.qrPng}. */
  uri: string;
}

/** Codes for when the phone is lost. */
export interface RecoveryCodes {
  /** To be shown once: ten letters and digits each, such as `4TKQP-7XGRM`. */
  codes: string[];
  /** To be stored with the user; worth nothing without the client's secret. */
  hashes: string[];
}

type Client = native.Client;

/**
 * Codes of authenticator apps, each accepted once by any process: `once.totp`. Only `verify` and `verifyRecovery` ask the
 * store; the others are plain functions, and throw.
 */
export class Totp {
  readonly #connection: Connection;

  /** @internal */
  constructor(connection: Connection) {
    this.#connection = connection;
  }

  /**
   * Makes a new secret, and the URI that authenticator apps scan.
   *
   * @throws OncecodeError `INVALID_ARGUMENT`, also for colons in the issuer or account.
   */
  enrol(request: { issuer: string; account: string } & OtpSettings): Enrolment {
    const issuer = text(request, "issuer");
    const account = text(request, "account");
    const [secret, uri] = this.#now((client) => client.totpEnrol(issuer, account, otp(request)));
    return { secret: secret as string, uri: uri as string };
  }

  /** The URI for a secret that exists already. */
  uri(request: { secret: string; issuer: string; account: string } & OtpSettings): string {
    const secret = text(request, "secret");
    const issuer = text(request, "issuer");
    const account = text(request, "account");
    return this.#now((client) => client.totpUri(secret, issuer, account, otp(request)))[0] as string;
  }

  /** A text such as the URI as a QR code in SVG. */
  qrSvg(request: { text: string }): string {
    const said = text(request, "text");
    return this.#now((client) => client.qrSvg(said))[0] as string;
  }

  /** A text such as the URI as a QR code in PNG, `scale` (1 to 64, default 8) pixels a square. */
  qrPng(request: { text: string; scale?: number | undefined }): Buffer {
    const said = text(request, "text");
    const scale = optionalWhole(request, "scale") ?? 8;
    return this.#now((client) => client.qrPng(said, scale))[0] as Buffer;
  }

  /** The code of a moment (default: now), or of a counter (RFC 4226). */
  code(request: { secret: string; at?: Date | undefined; counter?: number | undefined } & OtpSettings): string {
    const secret = text(request, "secret");
    const at = moment(request, "at");
    const counter = optionalWhole(request, "counter", Number.MAX_SAFE_INTEGER);
    return this.#now((client) => client.totpCode(secret, at, counter, otp(request)))[0] as string;
  }

  /** For which step a code is right, or `null`. It may have been used before: see {@link Totp.verify}. */
  check(request: TotpCode & { at?: Date | undefined }): number | null {
    const code = typed("check", request);
    const at = moment(request, "at");
    return (this.#now((client) => client.totpCheck(code, at, otp(request)))[0] as number | undefined) ?? null;
  }

  /**
   * Accepts the right code, once.
   *
   * @throws OncecodeError `WRONG_CODE` with `attemptsLeft`; `CODE_NOT_FOUND` for a right code that was used, or is older than
   * one that was; `TOO_MANY_ATTEMPTS` with `retryAfterSeconds` when the failure budget (that of codes, of the purpose
   * `totp`) is spent; `INVALID_CODE`; `INVALID_ARGUMENT`; `STORE_UNAVAILABLE`.
   */
  async verify(request: TotpRequest): Promise<TotpAccepted> {
    const code = typed(text(request, "user"), request);
    const settings = otp(request);
    const news = values(await this.#connection.ask((client, call) => client.totpVerify(call, code, settings)));
    return { step: news[2] as number, drift: news[3] as number };
  }

  /** Makes `count` (1 to 100, default 10) recovery codes for a user. */
  recoveryCodes(request: { user: string; count?: number | undefined }): RecoveryCodes {
    const user = text(request, "user");
    const count = optionalWhole(request, "count") ?? 10;
    const [codes, hashes] = this.#now((client) => client.recoveryCodes(user, count));
    return { codes: (codes as string).split(" "), hashes: (hashes as string).split(" ") };
  }

  /**
   * Accepts a recovery code, once; gives the one of `hashes` that you must now delete. The store remembers for 30 days that
   * it was used.
   *
   * @throws OncecodeError As {@link Totp.verify}; the failure budget is the same.
   */
  async verifyRecovery(request: { user: string; code: string; hashes: readonly string[] }): Promise<string> {
    const user = text(request, "user");
    const code = text(request, "code");
    const hashes = texts(request, "hashes");
    const news = values(await this.#connection.ask((client, call) => client.verifyRecovery(call, user, code, hashes)));
    return news[2] as string;
  }

  #now(act: (client: Client) => unknown): readonly unknown[] {
    // Never a promise: such calls answer at once.
    return values(this.#connection.now(act)).slice(2);
  }
}

function otp(request: unknown): native.Otp {
  const algorithm = optionalText(request, "algorithm");
  const digits = optionalWhole(request, "digits");
  const period = optionalWhole(request, "periodSeconds");
  return { ...(algorithm !== undefined && { algorithm }), ...(digits !== undefined && { digits }), ...(period !== undefined && { period }) };
}

function typed(user: string, request: unknown): native.Typed {
  const window = optionalWhole(request, "window");
  const counter = optionalWhole(request, "counter", Number.MAX_SAFE_INTEGER);
  return {
    user,
    secret: text(request, "secret"),
    code: text(request, "code"),
    ...(window !== undefined && { window }),
    ...(counter !== undefined && { counter }),
  };
}

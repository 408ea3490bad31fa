import { optionalSeconds, textOf, written } from "./arguments.cjs";
import { type Connection, values } from "./bridge.cjs";

/** The claims of a token that was verified. */
export interface TokenClaims {
  /** The user. */
  sub?: string;
  /** The issuer: the option `tokens.issuer`. */
  iss?: string;
  /** For whom: the option `tokens.audience`. */
  aud?: string | string[];
  /** The token's id. */
  jti?: string;
  /** When it was signed, in seconds since the Unix epoch. */
  iat?: number;
  /** Until when it is valid, in seconds since the Unix epoch. */
  exp: number;
  /** The user's version at that time. */
  ver?: number;
  [name: string]: unknown;
}

/** How a token is signed. */
export interface SignOptions {
  /** A life of its own, at most 29 days. Default: the option `tokens.ttlSeconds`. */
  ttlSeconds?: number | undefined;
}

/** A JSON Web Key Set. */
export interface JwkSet {
  keys: Record<string, unknown>[];
}

/**
 * JSON Web Tokens that can be revoked: `once.tokens`.
 *
 * A process asks the store for a user's revocations at most once in `tokens.cacheSeconds` (5 by default): another process's
 * revocation is seen within that time, its own at once.
 */
export class Tokens {
  readonly #connection: Connection;

  /** @internal */
  constructor(connection: Connection) {
    this.#connection = connection;
  }

  /**
   * A token with these claims; `iat`, `exp`, `jti`, and `iss` and `aud` where options name them, are added. With `sub`, the
   * user, it is bound to the user's version, which is one round trip. Anybody who has the token can read its claims.
   *
   * @throws OncecodeError `INVALID_ARGUMENT`; `CONFIG` when all keys are public; `STORE_UNAVAILABLE`.
   */
  async sign(claims: Readonly<Record<string, unknown>>, options: SignOptions = {}): Promise<string> {
    const given = written("claims", claims);
    const ttl = optionalSeconds(options, "ttlSeconds");
    const [, , token] = values(await this.#connection.ask((client, call) => client.signToken(call, given, ttl)));
    return token as string;
  }

  /**
   * The claims of a token that one of the keys signed, for us, now, and that was not revoked.
   *
   * @throws OncecodeError `TOKEN_EXPIRED`, `TOKEN_REVOKED`, `TOKEN_INVALID` for all else that is wrong with it;
   * `STORE_UNAVAILABLE`.
   */
  async verify(token: string): Promise<TokenClaims> {
    const given = textOf("token", token);
    const asked = this.#connection.ask((client, call) => client.verifyToken(call, given));
    const [, , claims] = values(asked instanceof Promise ? await asked : asked);
    return JSON.parse(claims as string) as TokenClaims;
  }

  /**
   * {@link Tokens.sign} without the user's version: no store, at once. Such a token is revoked with its user's by the
   * second in which it was signed.
   *
   * @throws OncecodeError `INVALID_ARGUMENT`, `CONFIG`.
   */
  signStateless(claims: Readonly<Record<string, unknown>>, options: SignOptions = {}): string {
    const given = written("claims", claims);
    const ttl = optionalSeconds(options, "ttlSeconds");
    return values(this.#connection.now((client) => client.signTokenStateless(given, ttl)))[2] as string;
  }

  /**
   * {@link Tokens.verify} without regard to revocations: no store, at once.
   *
   * @throws OncecodeError `TOKEN_EXPIRED`, `TOKEN_INVALID`.
   */
  verifyStateless(token: string): TokenClaims {
    const given = textOf("token", token);
    const [, , claims] = values(this.#connection.now((client) => client.verifyTokenStateless(given)));
    return JSON.parse(claims as string) as TokenClaims;
  }

  /**
   * Revokes one token until it expires. `false`: it has expired, which is as good.
   *
   * @throws OncecodeError `TOKEN_INVALID`, `STORE_UNAVAILABLE`.
   */
  async revoke(token: string): Promise<boolean> {
    const given = textOf("token", token);
    const [, , revoked] = values(await this.#connection.ask((client, call) => client.revokeToken(call, given)));
    return revoked as boolean;
  }

  /**
   * Revokes all tokens of a user (`sub`) that are signed by now.
   *
   * @throws OncecodeError `INVALID_ARGUMENT`, `STORE_UNAVAILABLE`.
   */
  async revokeAll(userId: string): Promise<void> {
    const user = textOf("userId", userId);
    values(await this.#connection.ask((client, call) => client.revokeTokens(call, user)));
  }

  /**
   * Revokes everybody's tokens that are signed by now.
   *
   * @throws OncecodeError `STORE_UNAVAILABLE`.
   */
  async revokeEverybody(): Promise<void> {
    values(await this.#connection.ask((client, call) => client.revokeEverybodysTokens(call)));
  }

  /** The public keys, to be served as `/.well-known/jwks.json`. Shared secrets are not in it. */
  jwks(): JwkSet {
    return JSON.parse(values(this.#connection.now((client) => client.tokenJwks()))[2] as string) as JwkSet;
  }
}

import { json, optionalSeconds, optionalText, text } from "./arguments.cjs";
import { type Connection, type News, values } from "./bridge.cjs";

/** What {@link Links.issue} needs. */
export interface LinkRequest {
  /** An email address or a phone number, in any usual spelling. */
  to: string;
  /** What the link is for, such as `"verify-email"`: 1 to 64 letters, digits, `_`, `-`, `.` or `:`. */
  purpose: string;
  /** Anything to get back from `verify`, at most 2048 bytes of JSON. Whoever has the link can read it. */
  data?: unknown;
  /** The page that the link leads to. The token takes the place of `{token}`, or else is added to the query as `token`. */
  url?: string | undefined;
  /** A life of its own, at most 7 days. Default: the option `links.ttlSeconds`. */
  ttlSeconds?: number | undefined;
}

/** What {@link Links.send} needs. */
export interface SendLinkRequest extends LinkRequest {
  url: string;
  /** The message's BCP 47 locale. */
  locale?: string | undefined;
}

/** A link to be sent. */
export interface Link {
  /** What `verify` takes. */
  token: string;
  /** The page with the token in its query, where a page was given. */
  url?: string;
  /** When it expires. */
  expiresAt: Date;
}

/** What {@link Links.verify} needs. */
export interface LinkTarget {
  /** The token of the link. */
  token: string;
  /** The purpose given at issue. */
  purpose: string;
  /** The address it must be for, where that is known. */
  to?: string | undefined;
}

/** The link was right. */
export interface Followed {
  /** The address that is now proven, normalised. */
  identifier: string;
  /** The purpose. */
  purpose: string;
  /** What was given at issue. */
  data?: unknown;
}

/** Links that prove an address: `once.links`. */
export class Links {
  readonly #connection: Connection;

  /** @internal */
  constructor(connection: Connection) {
    this.#connection = connection;
  }

  /**
   * A new link, at once: nothing is stored or sent.
   *
   * @throws OncecodeError `INVALID_EMAIL`, `INVALID_PHONE`, `INVALID_ARGUMENT`.
   */
  issue(request: LinkRequest): Link {
    const { to, purpose, data, page, ttl } = wanted(request);
    return link(values(this.#connection.now((client) => client.issueLink(to, purpose, data, page, ttl))));
  }

  /**
   * Sends a new link by the option `sender`, in the words of the option `messages`. Nothing is stored; limit it by
   * `once.limits`, as the adapters do.
   *
   * @throws OncecodeError `INVALID_EMAIL`, `INVALID_PHONE`, `INVALID_ARGUMENT`; `DELIVERY_FAILED`.
   */
  async send(request: SendLinkRequest): Promise<Link & { url: string }> {
    const { to, purpose, data, page, ttl } = wanted(request);
    const locale = optionalText(request, "locale");
    const news = await this.#connection.ask((client, call) => client.sendLink(call, to, purpose, data, page, ttl, locale));
    return link(values(news)) as Link & { url: string };
  }

  /**
   * Accepts a link, once (as often as it comes where the option `links.stateless` says so).
   *
   * Call it from a POST: mail scanners follow links, and a GET that used them up would leave the reader with none.
   *
   * @throws OncecodeError `LINK_EXPIRED`; `LINK_INVALID` (used, altered, for another address or purpose, or not ours);
   * `INVALID_EMAIL`, `INVALID_PHONE`, `INVALID_ARGUMENT`; `STORE_UNAVAILABLE`.
   */
  async verify(target: LinkTarget): Promise<Followed> {
    const { token, purpose, to } = checked(target);
    const news = await this.#connection.ask((client, call) => client.verifyLink(call, token, purpose, to));
    return followed(values(news), purpose);
  }

  /**
   * Whether {@link Links.verify} would accept it, without using it up: for a GET.
   *
   * @throws OncecodeError As {@link Links.verify}.
   */
  async peek(target: LinkTarget): Promise<Followed> {
    const { token, purpose, to } = checked(target);
    const news = await this.#connection.ask((client, call) => client.peekLink(call, token, purpose, to));
    return followed(values(news), purpose);
  }
}

function wanted(request: LinkRequest) {
  const to = text(request, "to");
  const purpose = text(request, "purpose");
  const data = json(request, "data");
  return { to, purpose, data, page: optionalText(request, "url"), ttl: optionalSeconds(request, "ttlSeconds") };
}

function link([, , token, expiresAtMs, url]: News): Link {
  const link: Link = { token: token as string, expiresAt: new Date(expiresAtMs as number) };
  if (url !== undefined) link.url = url as string;
  return link;
}

function checked(target: LinkTarget) {
  const token = text(target, "token");
  return { token, purpose: text(target, "purpose"), to: optionalText(target, "to") };
}

function followed([, , identifier, data]: News, purpose: string): Followed {
  const followed: Followed = { identifier: identifier as string, purpose };
  if (data !== undefined) followed.data = JSON.parse(data as string);
  return followed;
}

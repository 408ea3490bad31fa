import { field, text } from "./arguments.cjs";
import { type Connection, values } from "./bridge.cjs";
import { type OncecodeErrorCode, OncecodeError } from "./errors.cjs";

/** A status callback as it came in. */
export interface StatusRequest {
  /** The whole URL as it was given to the provider; behind a proxy that is not what the server sees. */
  url: string;
  /** All headers, as Node's `req.headers` has them. */
  headers: Readonly<Record<string, string | readonly string[] | undefined>>;
  /** The body, byte for byte: before any parser. */
  body: string | Uint8Array;
}

/** How far a message came. */
export type DeliveryState = "queued" | "sent" | "delivered" | "failed" | "unknown";

/** What became of a message. */
export interface DeliveryStatus {
  /** Who says so: `"twilio"`. */
  provider: string;
  /** What the provider calls the message. */
  message: string;
  /** How far it came: the provider has it, the carrier, the user; or the user will not get it. */
  state: DeliveryState;
  /** Why it failed, where the provider's reason is one of ours: `"UNREACHABLE"` … */
  reason?: OncecodeErrorCode;
  /** The provider's own number for it. */
  providerCode?: string;
}

/** `once.sender`: what becomes of messages. */
export class Delivery {
  readonly #connection: Connection;

  constructor(connection: Connection) {
    this.#connection = connection;
  }

  /**
   * What a provider's status callback says, if the provider signed it.
   *
   * ```js
   * app.post("/sms/status", express.raw({ type: "*\/*" }), (req, res) => {
   *   const { state, reason } = once.sender.status({ url: publicUrl + req.originalUrl, headers: req.headers, body: req.body });
   *   res.sendStatus(204);
   * });
   * ```
   *
   * @throws OncecodeError `INVALID_SIGNATURE`: it is from none of the client's providers. `INVALID_ARGUMENT`, `CLOSED`.
   */
  status(request: StatusRequest): DeliveryStatus {
    const [url, headers, body] = [text(request, "url"), field(request, "headers"), field(request, "body")];
    const bytes = typeof body === "string" ? Buffer.from(body) : body;
    if (typeof headers !== "object" || headers === null) throw new OncecodeError("INVALID_ARGUMENT", "headers must be an object");
    if (!(bytes instanceof Uint8Array)) throw new OncecodeError("INVALID_ARGUMENT", "body must be text or bytes, before any parser");
    const lines: string[] = [];
    for (const [name, value] of Object.entries(headers)) {
      for (const one of Array.isArray(value) ? value : [value]) if (typeof one === "string") lines.push(name, one);
    }
    const [, , status] = values(this.#connection.now((client) => client.deliveryStatus(url, lines, bytes)));
    return JSON.parse(status as string) as DeliveryStatus;
  }
}

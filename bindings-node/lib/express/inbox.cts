// A page for developers that shows the messages which would have gone out.

import express = require("express");
import type { Request, Router } from "express";
import { OncecodeError } from "../errors.cjs";
import type { Message, Oncecode, SendMessage } from "../index.cjs";
import { page } from "./inbox-page.cjs";

/** What {@link DevInbox} can be told. */
export interface InboxOptions {
  /** How many messages it keeps, the newest. Default 100. */
  keep?: number | undefined;
  /** Whether other machines may read it, such as the host of a container. Default false: this machine only. */
  remote?: boolean | undefined;
}

/** A message that would have gone out. */
export interface InboxMessage {
  at: Date;
  to: string;
  /** What it was for. */
  purpose?: string;
  text: string;
  code?: string;
  url?: string;
}

/**
 * Takes messages instead of sending them, and shows them at `/__oncecode`; `/__oncecode/messages.json` has them for tests.
 * For development only: it does not mount in production.
 *
 * ```js
 * const inbox = new DevInbox();
 * const once = await Oncecode.open("memory:", { mode: "development", sender: inbox.send });
 * app.use(inbox.router(once));
 * ```
 */
export class DevInbox {
  readonly #messages: InboxMessage[] = [];
  readonly #keep: number;
  readonly #remote: boolean;

  constructor({ keep = 100, remote = false }: InboxOptions = {}) {
    this.#keep = keep;
    this.#remote = remote;
  }

  /** The messages, the newest first. */
  get messages(): readonly InboxMessage[] {
    return this.#messages;
  }

  /** For the option `sender` of `Oncecode.open`. */
  readonly send: SendMessage = ({ to, purpose, text, code, link }: Message) => {
    this.#add({ at: new Date(), to, purpose, text, ...(link === undefined ? { code } : { url: link }) });
  };

  /** For the option `links.send` of `router`. */
  readonly sendLink = ({ to, url }: { to: string; url: string }): void => {
    this.#add({ at: new Date(), to, text: "A link to verify the address.", url });
  };

  /**
   * The page, at `/__oncecode`.
   *
   * @throws OncecodeError `CONFIG` in production.
   */
  router(once: Oncecode): Router {
    if (once.mode !== "development") throw new OncecodeError("CONFIG", "the inbox shows codes: it mounts in development mode only");
    const routes = express.Router();
    routes.use("/__oncecode", (req, res, next) => {
      // As if it were not there: for other machines, and for other names, by which a page on the web could read it.
      if (!this.#remote && !(isThisMachine(req) && isNamedSo(req))) return next("router");
      res.setHeader("Cache-Control", "no-store");
      next();
    });
    routes.get("/__oncecode/messages.json", (_, res) => void res.json(this.#messages));
    routes.get("/__oncecode", (_, res) => {
      res.setHeader("Content-Security-Policy", "default-src 'none'; style-src 'unsafe-inline'; frame-ancestors 'none'");
      res.type("html").send(page(this.#messages));
    });
    return routes;
  }

  #add(message: InboxMessage): void {
    this.#messages.unshift(message);
    this.#messages.length = Math.min(this.#messages.length, this.#keep);
  }
}

function isThisMachine(req: Request): boolean {
  return /^(::1|(::ffff:)?127\.\d+\.\d+\.\d+)$/.test(req.socket.remoteAddress ?? "127.0.0.1");
}

function isNamedSo(req: Request): boolean {
  return /^(localhost|([\w-]+\.)+localhost|127\.\d+\.\d+\.\d+|\[::1\])(:\d+)?$/i.test(req.headers.host ?? "");
}

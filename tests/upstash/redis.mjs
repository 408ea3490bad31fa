// As much of Redis' protocol (RESP2) as the bridge needs: one connection, answers in the order of the questions.

import { connect } from "node:net";

/** `+OK` and the like. */
export class Status {
  constructor(text) {
    this.text = text;
  }
}

/** `-ERR …`: an answer too, no failure of the connection. */
export class ReplyError {
  constructor(message) {
    this.message = message;
  }
}

export class Redis {
  #port;
  #socket;
  #waiting = [];
  #unread = Buffer.alloc(0);

  constructor(port) {
    this.#port = port;
  }

  /** Fails when the connection ends before the answer. */
  send(command) {
    this.#socket ??= this.#connected();
    const words = command.map((word) => Buffer.from(String(word)));
    const parts = words.flatMap((word) => [Buffer.from(`$${word.length}\r\n`), word, Buffer.from("\r\n")]);
    this.#socket.write(Buffer.concat([Buffer.from(`*${words.length}\r\n`), ...parts]));
    return new Promise((resolve, reject) => this.#waiting.push({ resolve, reject }));
  }

  #connected() {
    const socket = connect(this.#port, "127.0.0.1").setNoDelay();
    socket.on("data", (bytes) => this.#read(bytes));
    socket.on("error", () => {});
    socket.on("close", () => {
      const lost = this.#waiting;
      this.#socket = undefined;
      this.#waiting = [];
      this.#unread = Buffer.alloc(0);
      for (const { reject } of lost) reject(new Error("Redis closed the connection"));
    });
    return socket;
  }

  #read(bytes) {
    this.#unread = Buffer.concat([this.#unread, bytes]);
    for (let found = reply(this.#unread, 0); found; found = reply(this.#unread, 0)) {
      this.#unread = this.#unread.subarray(found.end);
      this.#waiting.shift().resolve(found.value);
    }
  }
}

/** The reply at `at` and where it ends, once it is there whole. */
function reply(bytes, at) {
  const stop = bytes.indexOf("\r\n", at);
  if (stop < 0) return undefined;
  const line = bytes.toString("utf8", at + 1, stop);
  const end = stop + 2;
  switch (String.fromCharCode(bytes[at])) {
    case "+":
      return { value: new Status(line), end };
    case "-":
      return { value: new ReplyError(line), end };
    case ":":
      return { value: Number(line), end };
    case "$":
      return bulk(bytes, Number(line), end);
    case "*":
      return array(bytes, Number(line), end);
    default:
      throw new Error("not a reply of Redis");
  }
}

function bulk(bytes, length, at) {
  if (length < 0) return { value: null, end: at };
  if (bytes.length < at + length + 2) return undefined;
  return { value: Buffer.from(bytes.subarray(at, at + length)), end: at + length + 2 };
}

function array(bytes, length, at) {
  if (length < 0) return { value: null, end: at };
  const value = [];
  let end = at;
  while (value.length < length) {
    const part = reply(bytes, end);
    if (!part) return undefined;
    value.push(part.value);
    end = part.end;
  }
  return { value, end };
}

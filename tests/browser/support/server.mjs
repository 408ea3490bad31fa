// An example as its user starts it, on a free port, ended by its process id.

import { spawn } from "node:child_process";
import { once } from "node:events";
import net from "node:net";

const SECONDS = 60;

/**
 * Starts `command` in `cwd` with `PORT` in its environment, and waits until something listens there.
 * `output()` is all it has printed, `stop()` ends it.
 */
export async function start(command, { cwd, env = {} }) {
  const port = await freePort();
  const [program, ...args] = command;
  const { PATH, HOME, LANG } = process.env;
  const child = spawn(program, args, {
    cwd,
    // A group of its own: `npm start` has children.
    detached: true,
    env: { PATH, HOME, LANG, ...env, PORT: String(port) },
    stdio: ["ignore", "pipe", "pipe"],
  });
  const printed = [];
  child.stdout.on("data", (text) => printed.push(text));
  child.stderr.on("data", (text) => printed.push(text));
  const output = () => Buffer.concat(printed).toString();
  const ended = once(child, "exit");
  const stop = async () => {
    // A group whose leader was reaped may have been given away; what never began has none.
    if (child.pid && child.exitCode === null && child.signalCode === null) process.kill(-child.pid, "SIGTERM");
    await ended.catch(() => {});
  };
  try {
    await listening(port, ended);
  } catch (error) {
    await stop();
    throw new Error(`${command.join(" ")}: ${error.message}\n${output()}`);
  }
  return { base: `http://localhost:${port}`, port, output, stop };
}

async function freePort() {
  const server = net.createServer().listen(0, "127.0.0.1");
  await once(server, "listening");
  const { port } = server.address();
  server.close();
  await once(server, "close");
  return port;
}

async function listening(port, ended) {
  const until = AbortSignal.timeout(SECONDS * 1000);
  const gone = ended.then(([code]) => Promise.reject(new Error(`ended with ${code}`)));
  const answered = async () => {
    while (!(await accepts(port))) {
      if (until.aborted) throw new Error(`nothing listens after ${SECONDS} s`);
      await new Promise((later) => setTimeout(later, 50));
    }
  };
  await Promise.race([answered(), gone]);
  // Its end is told by `stop` from now on.
  gone.catch(() => {});
}

function accepts(port) {
  return new Promise((done) => {
    const socket = net.connect(port, "127.0.0.1");
    socket.once("error", () => done(false));
    socket.once("connect", () => {
      socket.destroy();
      done(true);
    });
  });
}

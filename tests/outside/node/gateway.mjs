/** A server that all providers' requests go to, ours and those of their own packages. */

import { createServer } from "node:http";
import { Oncecode } from "../../../bindings-node/index.mjs";

/** Listens on a free port; `asked` holds what came in, oldest first. */
export async function gateway(t, status, body = "") {
  const asked = [];
  const server = createServer(async (request, response) => {
    let text = "";
    for await (const part of request) text += part;
    const { pathname, searchParams } = new URL(request.url, "http://gateway");
    asked.push({
      method: request.method,
      path: pathname,
      query: Object.fromEntries(searchParams),
      headers: request.headers,
      body: text,
    });
    response.writeHead(status, { "content-type": "application/json", connection: "close" }).end(body);
  });
  await new Promise((listening) => server.listen(0, "127.0.0.1", listening));
  t.after(() => new Promise((closed) => server.close(closed)));
  return { url: `http://127.0.0.1:${server.address().port}`, asked };
}

/** Sends a code by `sender`, and gives back the code. */
export async function send(t, sender, to, options = {}) {
  const once = await Oncecode.open("memory:", { mode: "development", appName: "Acme", sender, ...options });
  t.after(() => once.close());
  const { code, id } = await once.codes.issue({ to, purpose: "login" });
  return { code, id };
}

/** What of a request a provider looks at. */
export function essence({ method, path, query, headers, body }, auth) {
  const type = headers["content-type"]?.split(";")[0];
  return { method, path, query, [auth]: headers[auth], type: body === "" ? undefined : type, body };
}

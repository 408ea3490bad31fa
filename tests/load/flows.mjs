// What both examples are loaded with: flows of a person each, so many at once.

import { parseArgs } from "node:util";
import autocannon from "autocannon";

/**
 * Asks for a code, logs in, does `between` and logs out, again and again. `who(n)` is the body that names the n-th person.
 * Prints requests a second and the 50th and 99th percentile; resolves to the exit status: 1 for any answer but 200.
 */
export async function load(name, base, { auth, who, between = [] }) {
  const { values } = parseArgs({ options: { seconds: { type: "string", default: "10" }, "at-once": { type: "string", default: "32" } } });
  const [duration, connections] = [Number(values.seconds), Number(values["at-once"])];
  let flows = 0;
  const failed = [];
  const check = (path) => (status, body) => {
    if (status !== 200) failed.push(`${path}: ${status} ${body}`);
  };
  const headers = (context) => ({
    "content-type": "application/json",
    // An address each, which only a proxy that is trusted can say.
    "x-forwarded-for": context.address,
    ...(context.cookie && { cookie: context.cookie }),
  });
  const plain = (method, path) => ({
    method,
    path,
    setupRequest: (request, context) => ({ ...request, headers: headers(context) }),
    onResponse: check(path),
  });
  const requests = [
    {
      ...plain("POST", `${auth}/otp/request`),
      setupRequest: (request, context) => {
        flows += 1;
        const address = `10.${Math.floor(flows / 65_536) % 256}.${Math.floor(flows / 256) % 256}.${flows % 256}`;
        Object.assign(context, { address, cookie: "", who: who(flows) });
        return { ...request, headers: headers(context), body: JSON.stringify(context.who) };
      },
      onResponse: (status, body, context) => {
        check("/otp/request")(status, body);
        context.otp = status === 200 ? JSON.parse(body).otp : "000000";
      },
    },
    {
      ...plain("POST", `${auth}/otp/verify`),
      setupRequest: (request, context) => {
        return { ...request, headers: headers(context), body: JSON.stringify({ ...context.who, otp: context.otp }) };
      },
      onResponse: (status, body, context, answered) => {
        check("/otp/verify")(status, body);
        const set = answered["set-cookie"] ?? answered["Set-Cookie"] ?? "";
        context.cookie = String(set).split(";")[0];
      },
    },
    ...between.map((path) => plain("GET", path)),
    plain("POST", `${auth}/logout`),
  ];
  const { latency, requests: counted, errors, timeouts, non2xx } = await autocannon({ url: base, connections, duration, requests });
  console.log(
    `${name} + redis: ${counted.total} requests, ${connections} at once, ${Math.round(counted.average)}/s,` +
      ` p50 ${latency.p50} ms, p99 ${latency.p99} ms, ${failed.length + errors + timeouts} failed`,
  );
  for (const line of failed.slice(0, 5)) console.error(line);
  return failed.length + errors + timeouts + non2xx === 0 && counted.total > 0 ? 0 : 1;
}

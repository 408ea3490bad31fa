// Runs one contestant: `node FILE URL FIRST_PHONE`, a JSON order a line on stdin
// ({"in_flight": 16, "seconds": 2} or {"in_flight": 1, "flows": 200}), a JSON answer a line on stdout.
import { createInterface } from "node:readline";

/** `connect(url)` gives `{ flow(phone), close() }`; `flow` issues and verifies one code and throws if that fails. */
export async function contest(connect) {
  const [url, first] = process.argv.slice(2);
  let next = Number(first);
  const phone = () => `+9198${String(next++ % 1e8).padStart(8, "0")}`;

  const { flow, close } = await connect(url);
  console.log(JSON.stringify({ ready: true }));
  for await (const line of createInterface({ input: process.stdin })) {
    console.log(JSON.stringify(await measure(flow, phone, JSON.parse(line))));
  }
  await close();
}

async function measure(flow, phone, { in_flight, seconds = Infinity, flows = Infinity }) {
  const took = [];
  let started = 0;
  const cpuBefore = process.cpuUsage();
  const begin = performance.now();
  const deadline = begin + seconds * 1e3;

  async function lane() {
    for (let at = performance.now(); at < deadline && started < flows; ) {
      started++;
      await flow(phone());
      const end = performance.now();
      took.push(end - at);
      at = end;
    }
  }
  await Promise.all(Array.from({ length: in_flight }, lane));

  const elapsed = (performance.now() - begin) / 1e3;
  const cpu = process.cpuUsage(cpuBefore);
  took.sort((a, b) => a - b);
  const quantile = (q) => took[Math.floor(q * (took.length - 1))];
  return {
    flows: took.length,
    per_second: took.length / elapsed,
    p50_ms: quantile(0.5),
    p99_ms: quantile(0.99),
    client_us: (cpu.user + cpu.system) / took.length,
  };
}

export function check(fine, what) {
  if (!fine) throw new Error(`the flow failed: ${what}`);
}

import { Oncecode } from "../../../bindings-node/index.mjs";
const url = process.argv[2];
const once = await Oncecode.open(url, { secret: "a secret of thirty-two bytes or more!", sender: process.env.NOSEND ? "none:" : () => {}, mode: "development", deadlineMs: 5000, keyPrefix: "bench-services", limits: { plenty: { max: 1_000_000, windowSeconds: 3600 } } });
const users = Array.from({ length: 1000 }, (_, at) => `user-${at}`);
let turn = 0;
const user = () => users[turn++ % users.length];
async function inLanes(lanes, call, duration) {
  const c0 = process.cpuUsage();
  const [begin, end] = [performance.now(), performance.now() + duration * 1e3];
  let calls = 0;
  const lane = async () => { for (; performance.now() < end; calls++) await call(); };
  await Promise.all(Array.from({ length: lanes }, lane));
  const c = process.cpuUsage(c0);
  return [(calls * 1e3) / (performance.now() - begin), (c.user + c.system) / calls];
}
const secs = Number(process.argv[3] ?? 6);
await inLanes(16, () => once.limits.hit({ limit: "plenty", key: user() }), 0.3);
console.log(await inLanes(16, () => once.limits.hit({ limit: "plenty", key: user() }), secs));
await once.close();

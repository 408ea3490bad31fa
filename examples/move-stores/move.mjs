// Moves everything from one store to another: node move.mjs --from URL --to URL [--resume CURSOR] [--prefix P] [--batch N]
import { parseArgs } from "node:util";
import { Oncecode, OncecodeError } from "oncecode";

const options = { from: {}, to: {}, resume: {}, prefix: { default: "oncecode" }, batch: { default: "500" } };
for (const option of Object.values(options)) option.type = "string";
const { values: given } = parseArgs({ options });
if (!given.from || !given.to) {
  console.error("usage: node move.mjs --from URL --to URL [--resume CURSOR] [--prefix PREFIX] [--batch COUNT]");
  process.exit(2);
}

let cursor = given.resume;

try {
  const once = await Oncecode.open(given.from, {
    secret: process.env.ONCECODE_SECRET,
    sender: () => {}, // nothing is sent here
    keyPrefix: given.prefix,
    deadlineMs: 5_000,
  });
  const done = await once.admin.copy({ to: given.to, batch: Number(given.batch), resumeFrom: cursor, progress });
  await once.close();
  if (process.stderr.isTTY) process.stderr.write("\n");
  const { known, expired, unreadable, refused } = done;
  console.log(`moved   ${done.challenges} challenges, ${done.values} values and counters`);
  console.log(`skipped ${known} known there, ${expired} expired, ${unreadable} unreadable, ${refused} refused there`);
} catch (error) {
  if (!(error instanceof OncecodeError)) throw error;
  console.error(`\n${error.code}: ${error.message}`);
  if (cursor) console.error(`go on with: --resume '${cursor}'`);
  process.exitCode = 1;
}

function progress(soFar) {
  cursor = soFar.cursor;
  const { challenges, values, known, expired, unreadable, refused } = soFar;
  const seen = challenges + values + known + expired + unreadable + refused;
  // The total may count what others keep in the same store: only the end says that all is done.
  const part = !cursor ? 1 : soFar.total ? Math.min(seen / soFar.total, 1) : 0;
  const bar = "#".repeat(Math.round(part * 30)).padEnd(30, ".");
  const line = `[${bar}] ${seen} of ${soFar.total ?? "?"}`;
  process.stderr.write(process.stderr.isTTY ? `\r${line}` : `${line}\n`);
}

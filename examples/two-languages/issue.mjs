// Issues a code and refuses a wrong one. Run by scripts/demo: node issue.mjs STORE PHONE
import { Oncecode, OncecodeError } from "../../bindings-node/index.mjs";

const [store, to] = process.argv.slice(2);
const once = await Oncecode.open(store, { secret: process.env.ONCECODE_SECRET, mode: "development", appName: "Demo" });

const sent = await once.codes.issue({ to, purpose: "login" });
console.log(`Node    issued a code; it expires at ${sent.expiresAt.toISOString()}`);

const wrong = String((Number(sent.code) + 1) % 1_000_000).padStart(6, "0");
try {
  await once.codes.verify({ to, purpose: "login", code: wrong });
} catch (error) {
  if (!(error instanceof OncecodeError)) throw error;
  console.log(`Node    refused ${wrong}: ${error.code}, ${error.attemptsLeft} attempts left`);
}

await once.close();
// The demo hands the code on, as the user's phone would.
console.log(`code ${sent.code}`);

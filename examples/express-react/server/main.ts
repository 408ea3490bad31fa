// The server with the pages as they were built.

import { builtPages } from "./pages.ts";
import { settingsOfProcess, start } from "./start.ts";

try {
  // `npm start` on a machine that says nothing is a trial of the app: codes are shown.
  await start(settingsOfProcess(process.argv.includes("--development") ? "development" : "production"), async () => builtPages);
} catch (error) {
  console.error(`Arogya Vault did not start: ${(error as Error).message}`);
  process.exit(1);
}

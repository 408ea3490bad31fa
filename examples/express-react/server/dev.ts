// The server for `npm run dev`: Vite serves the pages as they are edited.

import { createServer } from "vite";
import { settingsOfProcess, start } from "./start.ts";

await start(settingsOfProcess("development"), async (server) => {
  const vite = await createServer({ appType: "spa", server: { middlewareMode: true, hmr: { server } } });
  return (app) => void app.use(vite.middlewares);
});

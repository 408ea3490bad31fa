import { createRequire } from "node:module";
import { contest } from "./harness.mjs";

const PACKAGE = "../../../bindings-node";
const { Oncecode } = createRequire(import.meta.url)(PACKAGE);

await contest(async (url) => {
  const once = await Oncecode.open(url, { secret: "a secret of the benchmark only, 0123456789", mode: "development", sender: "none:" });
  return {
    async flow(to) {
      const { code } = await once.codes.issue({ to, purpose: "login" });
      await once.codes.verify({ to, purpose: "login", code });
    },
    close: () => once.close(),
  };
});

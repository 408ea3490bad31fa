import react from "@vitejs/plugin-react";
import { defineConfig } from "vite";

export default defineConfig({
  root: "client",
  plugins: [react()],
  // One React, also where `oncecode` is linked from a checkout that has its own.
  resolve: { dedupe: ["react", "react-dom", "@tanstack/react-query"] },
  // No `data:` URLs: the pages' Content-Security-Policy knows none.
  build: { outDir: "../dist/client", emptyOutDir: true, assetsInlineLimit: 0 },
});

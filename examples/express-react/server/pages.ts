// The pages as `npm run build` made them.

import { fileURLToPath } from "node:url";
import express, { type Express } from "express";

const FOLDER = fileURLToPath(new URL("../client/", import.meta.url));
const HEADERS = {
  "Content-Security-Policy":
    "default-src 'none'; script-src 'self'; style-src 'self'; connect-src 'self'; img-src 'self';" +
    " base-uri 'none'; form-action 'self'; frame-ancestors 'none'",
  "Cache-Control": "no-cache",
};

export function builtPages(app: Express): void {
  // Their names change with what is in them.
  app.use("/assets", express.static(`${FOLDER}assets`, { immutable: true, maxAge: "1y" }));
  app.use(express.static(FOLDER, { index: false }));
  app.use((req, res, next) => {
    // Which page it is, React decides; scripts and pictures that are missing are no page.
    if (req.method !== "GET" || req.accepts(["json", "html"]) !== "html") return next();
    res.sendFile("index.html", { root: FOLDER, headers: HEADERS, cacheControl: false });
  });
  app.use((_, res) => void res.status(404).json({ success: false, message: "There is nothing here." }));
}

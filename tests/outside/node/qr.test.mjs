// What a phone's camera makes of our QR codes: other people's decoder, on other people's pictures of them.

import assert from "node:assert/strict";
import { test } from "node:test";

import { Resvg } from "@resvg/resvg-js";
import jsqr from "jsqr";
import { PNG } from "pngjs";

import { Oncecode } from "../../../bindings-node/index.mjs";

const once = await Oncecode.open("memory:", { mode: "development", sender: "none:" });
const { secret } = once.totp.enrol({ issuer: "Acme Co", account: "ann@example.com" });

const TEXTS = {
  "an enrolment": once.totp.uri({ secret, issuer: "Acme Co", account: "ann@example.com" }),
  "a short text": "1",
  "another script": "otpauth://totp/Пример:Анна?secret=JBSWY3DPEHPK3PXP",
  "a long text": "otpauth://totp/".padEnd(900, "x"),
};

function decoded({ data, width, height }) {
  return jsqr(new Uint8ClampedArray(data), width, height)?.data;
}

for (const [what, text] of Object.entries(TEXTS)) {
  // Below 40 pixels the decoder sees nothing.
  for (const scale of [2, 3, 8]) {
    test(`${what} as PNG, ${scale} pixels a square`, () => {
      assert.equal(decoded(PNG.sync.read(once.totp.qrPng({ text, scale }))), text);
    });
  }

  test(`${what} as SVG`, () => {
    const drawn = new Resvg(once.totp.qrSvg({ text }), { fitTo: { mode: "width", value: 900 } }).render();
    assert.equal(decoded({ data: drawn.pixels, width: drawn.width, height: drawn.height }), text);
  });
}

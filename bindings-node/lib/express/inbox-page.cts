import type { InboxMessage } from "./inbox.cjs";

const STYLE = `
:root { color-scheme: light dark; font: 16px/1.5 system-ui, sans-serif }
body { max-width: 44rem; margin: 2rem auto; padding: 0 1rem }
h1 { font-size: 1.25rem; margin: 0 } header p, .empty, time, dt { color: GrayText }
article { border: 1px solid color-mix(in srgb, currentColor 20%, transparent); border-radius: .5rem; padding: 1rem; margin: 1rem 0 }
.code { font: 600 1.75rem/1.2 ui-monospace, monospace; letter-spacing: .15em; margin: .5rem 0 }
.top { display: flex; justify-content: space-between; gap: 1rem; flex-wrap: wrap } .top b { overflow-wrap: anywhere }
p { margin: .25rem 0; overflow-wrap: anywhere }`;

/** The page. It has no script; it loads itself again every 3 seconds. */
export function page(messages: readonly InboxMessage[]): string {
  const list = messages.map(article).join("\n") || '<p class="empty">Nothing was sent yet. Ask for a code, and it appears here.</p>';
  return `<!doctype html>
<html lang="en"><head><meta charset="utf-8"><title>oncecode inbox</title>
<meta name="viewport" content="width=device-width, initial-scale=1"><meta http-equiv="refresh" content="3">
<meta name="robots" content="noindex"><style>${STYLE}</style></head>
<body><header><h1>oncecode inbox</h1><p>What would have gone out. Development only.</p></header>
<main>${list}</main></body></html>`;
}

function article({ at, to, purpose, text, code, url }: InboxMessage): string {
  const when = at.toISOString();
  return `<article><div class="top"><b>${escaped(to)}</b><span>${escaped(purpose ?? "link")}
<time datetime="${when}">${when.slice(11, 19)}</time></span></div>
${code === undefined ? "" : `<p class="code">${escaped(code)}</p>`}<p>${escaped(text)}</p>${url === undefined ? "" : link(url)}</article>`;
}

function link(url: string): string {
  const safe = escaped(url);
  return /^https?:/i.test(url) ? `<p><a href="${safe}" rel="noreferrer">${safe}</a></p>` : `<p>${safe}</p>`;
}

function escaped(text: string): string {
  return text.replace(/[&<>"']/g, (sign) => `&#${sign.charCodeAt(0)};`);
}

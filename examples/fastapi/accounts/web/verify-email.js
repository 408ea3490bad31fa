// The page that a link leads to. Opening it changes nothing, since mail scanners open it too; the button does.

import { call, post, words } from "./api.js";

const $ = (id) => document.getElementById(id);
const token = new URLSearchParams(location.search).get("token") ?? "";

// The address bar and the history keep no token.
history.replaceState(null, "", location.pathname);

$("confirm").addEventListener("click", async () => {
  $("confirm").hidden = true;
  say("Confirm your email address", "One moment …");
  try {
    await post("/email/verify", { token });
    say("Your email address is confirmed", "You are signed in on this device.", "Go to your account");
  } catch (error) {
    refuse(error);
  }
  $("title").focus();
});

try {
  await call("GET", `/email/verify?token=${encodeURIComponent(token)}`);
  say("Confirm your email address", "Was it you who asked for this link? Then confirm, and you are signed in.");
  $("confirm").hidden = false;
} catch (error) {
  refuse(error);
}
$("box").removeAttribute("aria-busy");

function refuse(error) {
  const [title, said] = {
    LINK_EXPIRED: ["This link has expired", "Links are good for a day."],
    LINK_INVALID: ["This link does not work", "It has been used already, or part of it is missing."],
  }[error.code] ?? ["That did not work", words(error)];
  say(title, said, "Sign in another way");
}

function say(title, said, onward) {
  document.title = `${title} · Accounts`;
  $("title").textContent = title;
  $("said").textContent = said;
  $("onward").hidden = onward === undefined;
  $("onward-link").textContent = onward ?? "";
}

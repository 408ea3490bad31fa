// Signing in and up, and the page of whoever is in.

import { post, whoIsIn, words } from "./api.js";
import { enterCode, signIn, signUp, start } from "./code.js";
import { $, announce, blame, onSubmit, show } from "./view.js";

const first = location.pathname === "/signup" ? "sign-up" : "sign-in";

document.querySelector(`[data-view="${first}"]`).setAttribute("aria-current", "page");
start({ done: welcome, back: () => show(first, { focus: field(first) }) });

onSubmit($("sign-in-form"), (form) => begin(signIn(form.get("to").trim()), "sign-in"));
onSubmit($("sign-up-form"), (form) => begin(signUp(form.get("email").trim(), form.get("user_type")), "sign-up"));

async function begin(flow, from) {
  try {
    enterCode(flow, await flow.request());
  } catch (error) {
    // The code of a moment ago is still good.
    if (error.code === "COOLDOWN") enterCode(flow, error);
    else blame($(`${from}-error`), field(from), words(error));
  }
}

function field(view) {
  return $(view === "sign-up" ? "email" : "address");
}

$("link-button").addEventListener("click", async () => {
  const email = $("address").value.trim();
  try {
    const { link } = await post("/email/request", { email });
    $("mailed-to").textContent = email;
    $("link-shown").hidden = link === undefined;
    if (link !== undefined) $("link-value").href = link;
    show("mailed");
  } catch (error) {
    blame($("sign-in-error"), $("address"), words(error));
  }
});

$("log-out").addEventListener("click", async () => {
  try {
    await post("/logout");
    // What the page knew of this user goes with it.
    location.assign("/");
  } catch (error) {
    blame($("account-error"), undefined, words(error));
  }
});

function welcome(user, { moved = true } = {}) {
  $("account-type").textContent = user.user_type === "demo" ? "Demo" : "Live";
  for (const name of ["email", "phone"]) {
    $(`account-${name}`).textContent = user[name] ?? "";
    $(`account-${name}`).parentElement.hidden = user[name] === null;
  }
  $("account-since").textContent = new Date(user.created_at).toLocaleDateString(undefined, { dateStyle: "long" });
  show("account", { moved });
  if (moved) announce("You are signed in.");
}

try {
  const user = await whoIsIn();
  if (user === null) show(first, { moved: false });
  else welcome(user, { moved: false });
} catch (error) {
  show(first, { moved: false });
  blame($(`${first}-error`), undefined, words(error));
}

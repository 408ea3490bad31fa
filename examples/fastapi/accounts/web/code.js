// The step at which the code is entered.

import { post, words } from "./api.js";
import { $, announce, blame, clear, onSubmit, show } from "./view.js";

/** What was asked for: `to` is shown, `request` sends a code (again), `verify` checks one. */
let asked;
let sent = {};
let ticking;

export function enterCode(flow, answer) {
  asked = flow;
  $("code-form").reset();
  clear($("code-form"));
  $("code-to").textContent = flow.to;
  take(answer);
  show("code", { focus: $("otp") });
  announce(`A code is on its way to ${flow.to}.`);
}

/** The times of an answer, or of the refusal `COOLDOWN`: then a code that was sent before is still good. */
function take({ id, otp, expiresIn, retryAfter }) {
  const now = Date.now();
  sent = { id, expires: expiresIn && now + expiresIn * 1000, again: now + (retryAfter ?? 0) * 1000 };
  $("code-shown").hidden = otp === undefined;
  $("code-value").textContent = otp ?? "";
  clearInterval(ticking);
  ticking = setInterval(tick, 1000);
  tick();
}

function tick() {
  const left = (moment) => Math.max(0, Math.ceil((moment - Date.now()) / 1000));
  const wait = left(sent.again);
  // Not `disabled`: whoever is on it with the keyboard must not lose their place.
  $("resend").setAttribute("aria-disabled", String(wait > 0));
  $("resend").textContent = wait > 0 ? `Send again in ${wait} s` : "Send again";
  const life = sent.expires && left(sent.expires);
  $("code-expires").textContent =
    life === undefined ? "" : life === 0 ? "The code has expired." : `Good for ${Math.floor(life / 60)}:${String(life % 60).padStart(2, "0")} more.`;
}

export function start({ done, back }) {
  onSubmit($("code-form"), async (form) => {
    try {
      const { user } = await asked.verify(form.get("otp"), sent.id);
      clearInterval(ticking);
      done(user);
    } catch (error) {
      blame($("code-error"), $("otp"), words(error));
      $("otp").select();
    }
  });
  $("resend").addEventListener("click", async () => {
    if ($("resend").getAttribute("aria-disabled") === "true") return;
    $("resend").setAttribute("aria-disabled", "true");
    clear($("code-form"));
    try {
      take(await asked.again());
      announce("A new code is on its way.");
    } catch (error) {
      if (error.retryAfter !== undefined) sent.again = Date.now() + error.retryAfter * 1000;
      blame($("code-error"), undefined, words(error));
    }
    tick();
  });
  $("back").addEventListener("click", () => {
    clearInterval(ticking);
    back();
  });
}

/** The flow of signing in. */
export function signIn(to) {
  return {
    to,
    request: () => post("/otp/request", { to }),
    again: () => post("/otp/resend", { to }),
    verify: (otp, id) => post("/otp/verify", id === undefined ? { to, otp } : { to, otp, id }),
  };
}

/** The flow of signing up. */
export function signUp(email, user_type) {
  const request = () => post("/signup/send-otp", { email, user_type });
  return {
    to: email,
    request,
    again: request,
    verify: (otp_code) => post("/signup/verify-otp", { email, user_type, otp_code }),
  };
}

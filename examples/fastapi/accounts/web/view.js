// What is to be seen: one section at a time.

export const $ = (id) => document.getElementById(id);

const TITLES = { "sign-in": "Sign in", "sign-up": "Sign up", code: "Enter the code", mailed: "Look into your mailbox", account: "Your account" };

/** Shows a section; `moved`: the person came here by what they did, so the focus goes along. */
export function show(id, { focus, moved = true } = {}) {
  for (const section of document.querySelectorAll("main > section")) section.hidden = section.id !== id;
  document.title = `${TITLES[id]} · Accounts`;
  document.querySelector("nav").hidden = id === "account";
  if (moved) (focus ?? $(`${id}-title`)).focus();
}

/** Tells screen readers. */
export function announce(text) {
  $("status").textContent = text;
}

/** Writes what is wrong beside a field, and goes there. */
export function blame(error, field, text) {
  // Emptied first, so that the same words are read once more.
  error.textContent = "";
  requestAnimationFrame(() => (error.textContent = text));
  field?.setAttribute("aria-invalid", "true");
  field?.focus();
}

/** Runs `act` when the form is sent, once at a time. */
export function onSubmit(form, act) {
  let busy = false;
  form.addEventListener("submit", async (event) => {
    event.preventDefault();
    if (busy) return;
    busy = true;
    clear(form);
    form.setAttribute("aria-busy", "true");
    await act(new FormData(form), event.submitter);
    form.removeAttribute("aria-busy");
    busy = false;
  });
}

export function clear(form) {
  for (const error of form.querySelectorAll(".error")) error.textContent = "";
  for (const field of form.querySelectorAll("[aria-invalid]")) field.removeAttribute("aria-invalid");
}

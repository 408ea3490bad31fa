// The endpoints. The cookie is the session, and no script can read it.

const BASE = "/api/v1/users";
const MILLISECONDS = 15_000;

/** What the server refused, or that it could not be reached. */
export class Refused extends Error {
  constructor({ code = "NETWORK", message, retryAfter, attemptsLeft }) {
    super(message);
    Object.assign(this, { code, retryAfter, attemptsLeft });
  }
}

export async function call(method, path, body) {
  const answer = await fetch(BASE + path, {
    method,
    headers: body && { "Content-Type": "application/json" },
    body: body && JSON.stringify(body),
    signal: AbortSignal.timeout(MILLISECONDS),
  }).catch(() => {
    throw new Refused({ message: "The server can't be reached. Please try again." });
  });
  const said = await answer.json().catch(() => ({}));
  if (answer.ok) return said;
  throw new Refused({ code: "UNEXPECTED", message: "That did not work. Please try again later.", ...said });
}

export const post = (path, body) => call("POST", path, body);

/** The user who is signed in, or `null`. */
export async function whoIsIn() {
  try {
    return (await call("GET", "/session")).user ?? null;
  } catch (error) {
    if (error.code === "SESSION_NOT_FOUND") return null;
    throw error;
  }
}

/** What to tell people. */
export function words({ code, message, attemptsLeft, retryAfter }) {
  if (code === "WRONG_CODE") {
    return attemptsLeft > 0
      ? `That is not the code. You have ${attemptsLeft} ${attemptsLeft === 1 ? "attempt" : "attempts"} left.`
      : "That is not the code. Please ask for a new one.";
  }
  const wait = retryAfter === undefined ? "" : ` Please try again in ${duration(retryAfter)}.`;
  return SAID[code] === undefined ? message : SAID[code] + wait;
}

const SAID = {
  CODE_NOT_FOUND: "This code does not work any more. Please ask for a new one.",
  TOO_MANY_ATTEMPTS: "Too many attempts.",
  COOLDOWN: "We have just sent you a code.",
  RATE_LIMITED: "Too many requests.",
  INVALID_PHONE: "That is no phone number. Does it begin with its country code?",
  INVALID_EMAIL: "That is no email address.",
  INVALID_CODE: "The code is 6 digits.",
  DELIVERY_FAILED: "The message could not be sent. Please try again.",
  STORE_UNAVAILABLE: "We can't do that at the moment. Please try again.",
};

export function duration(seconds) {
  return seconds < 90 ? `${seconds} s` : `${Math.ceil(seconds / 60)} min`;
}

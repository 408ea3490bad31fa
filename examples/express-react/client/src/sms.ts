// Codes of messages that arrive on this telephone: WebOTP, which Chrome on Android has. Safari offers them above its keyboard by
// `autocomplete="one-time-code"` alone. https://developer.mozilla.org/docs/Web/API/WebOTP_API

import { useEffect, useEffectEvent } from "react";

/** Tells the code of a message bound to this site (the server's `DOMAIN`), once the user lets the page have it. `from` begins anew. */
export function useCodeOfMessage(told: (code: string) => void, from: unknown): void {
  const tell = useEffectEvent(told);
  useEffect(() => {
    if (!("OTPCredential" in window)) return;
    const ending = new AbortController();
    const request = { otp: { transport: ["sms"] }, signal: ending.signal } as CredentialRequestOptions;
    navigator.credentials.get(request).then(
      (credential) => {
        const { code } = (credential ?? {}) as { code?: string };
        if (code !== undefined && !ending.signal.aborted) tell(code);
      },
      // The user said no, or no message came: the field is there.
      () => {},
    );
    return () => ending.abort();
  }, [from]);
}

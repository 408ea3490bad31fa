import { useRequestOTP } from "oncecode/react";
import { type FormEvent, useRef, useState } from "react";
import { useLocation } from "wouter";
import { type Challenge, challengeOf, pretty, words } from "../api.ts";
import { Button, Entrance, Heading, Wrong } from "../parts.tsx";
import { useToast } from "../toasts.tsx";

export function SignIn() {
  const [, navigate] = useLocation();
  const [phoneNumber, setPhoneNumber] = useState("");
  const [wrong, setWrong] = useState("");
  const field = useRef<HTMLInputElement>(null);
  const toast = useToast();
  const request = useRequestOTP();

  const enter = (challenge: Challenge) => navigate("/code", { state: challenge });
  const blame = (text: string) => {
    setWrong(text);
    field.current?.focus();
  };

  const submit = (event: FormEvent) => {
    event.preventDefault();
    if (request.isPending) return;
    if (phoneNumber.trim() === "") return blame("Please enter your mobile number.");
    setWrong("");
    request.mutate({ phoneNumber }, {
      onSuccess: (sent) => {
        toast(`We sent a code to ${pretty(phoneNumber)}.`);
        enter(challengeOf(phoneNumber, sent));
      },
      onError: (error) => {
        // The code of a moment ago is good still.
        if (error.code === "COOLDOWN") {
          toast("A code is on its way to you already.");
          enter({ phoneNumber, resendAt: Date.now() + (error.retryAfter ?? 0) * 1000 });
        } else if (error.status >= 400 && error.status < 500) blame(words(error));
        else toast(words(error), "bad");
      },
    });
  };

  const foreign = /^\s*(\+|00)/.test(phoneNumber);
  return (
    <Entrance title="Sign in">
      <Heading>Sign in</Heading>
      <p className="lead">We text you a code. New here? It opens a vault of your own.</p>
      <form onSubmit={submit} noValidate>
        <label htmlFor="phone">Mobile number</label>
        <div className="field">
          <span className={foreign ? "prefix off" : "prefix"} aria-hidden="true">+91</span>
          <input
            id="phone"
            ref={field}
            type="tel"
            inputMode="tel"
            autoComplete="tel"
            value={phoneNumber}
            aria-invalid={wrong !== ""}
            aria-describedby="phone-wrong phone-hint"
            onChange={(event) => setPhoneNumber(event.target.value)}
          />
        </div>
        <Wrong id="phone-wrong">{wrong}</Wrong>
        <p className="hint" id="phone-hint">From outside India, begin with + and your country code.</p>
        <Button type="submit" busy={request.isPending}>{request.isPending ? "Sending …" : "Send me a code"}</Button>
      </form>
    </Entrance>
  );
}

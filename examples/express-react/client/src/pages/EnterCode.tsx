import { useCountdown, useResendOTP, useVerifyOTP } from "oncecode/react";
import { type FormEvent, useLayoutEffect, useMemo, useRef, useState } from "react";
import { Link, Redirect, useLocation } from "wouter";
import { useHistoryState } from "wouter/use-browser-location";
import { type Challenge, challengeOf, pretty, tries, words } from "../api.ts";
import { Button, Entrance, Heading, Wrong } from "../parts.tsx";
import { useCodeOfMessage } from "../sms.ts";
import { useToast } from "../toasts.tsx";

const DIGITS = 6;

export function EnterCode() {
  // In the history, not in the address: reloading and "back" work, and no log sees the number.
  const challenge = useHistoryState<Challenge | null>();
  return challenge?.phoneNumber === undefined ? <Redirect to="/login" replace /> : <Form challenge={challenge} />;
}

function Form({ challenge }: { challenge: Challenge }) {
  const { phoneNumber, id, otp } = challenge;
  const [, navigate] = useLocation();
  const toast = useToast();
  const [code, setCode] = useState("");
  const [wrong, setWrong] = useState("");
  const [attemptsLeft, setAttemptsLeft] = useState(challenge.attemptsLeft);
  const field = useRef<HTMLInputElement>(null);
  const refused = useRef<string>(undefined);
  const wait = useSecondsTo(challenge.resendAt);
  const life = useSecondsTo(challenge.expiresAt);
  // The session is there then, and the vault takes this page's place.
  const verify = useVerifyOTP({ onSuccess: () => toast("You are signed in.") });
  const resend = useResendOTP();

  useLayoutEffect(() => field.current?.focus(), []);

  const blame = (text: string) => {
    setWrong(text);
    field.current?.focus();
    field.current?.select();
  };

  const check = (digits: string) => {
    if (verify.isPending) return;
    if (digits.length !== DIGITS) return blame(`The code has ${DIGITS} digits.`);
    // Nobody's attempts are spent on what is known to be wrong.
    if (digits === refused.current) return blame("That is the code you just tried. Please check the message again.");
    setWrong("");
    verify.mutate({ phoneNumber, otp: digits, id }, {
      onError: (error) => {
        if (error.code === "WRONG_CODE") refused.current = digits;
        if (error.attemptsLeft !== undefined) setAttemptsLeft(error.attemptsLeft);
        if (error.status >= 400 && error.status < 500) blame(words(error));
        else toast(words(error), "bad");
      },
    });
  };

  const type = (text: string) => {
    // Autofill and the clipboard bring "123 456" as well.
    const digits = text.normalize("NFKC").replace(/\D/g, "").slice(0, DIGITS);
    setCode(digits);
    if (digits.length === DIGITS && digits !== code) check(digits);
  };

  useCodeOfMessage(type, challenge.resendAt);

  const again = () =>
    resend.mutate({ phoneNumber, id }, {
      onSuccess: (sent) => {
        refused.current = undefined;
        setCode("");
        setWrong("");
        setAttemptsLeft(sent.attemptsLeft);
        toast("We sent a new code. The old one no longer works.");
        navigate("/code", { replace: true, state: challengeOf(phoneNumber, sent) });
        field.current?.focus();
      },
      onError: (error) => {
        if (error.retryAfter !== undefined) {
          navigate("/code", { replace: true, state: { ...challenge, resendAt: Date.now() + error.retryAfter * 1000 } });
        }
        toast(words(error), "bad");
      },
    });

  const submit = (event: FormEvent) => {
    event.preventDefault();
    check(code);
  };

  return (
    <Entrance title="Enter the code">
      <Heading focus={false}>Enter the code</Heading>
      <p className="lead">We sent it to <b>{pretty(phoneNumber)}</b>. <Link href="/login">Change number</Link></p>
      {otp !== undefined && (
        <p className="development">
          <span>Development code <output>{otp}</output></span>
          <a href="/__oncecode" target="_blank" rel="noreferrer">Inbox</a>
        </p>
      )}
      <form onSubmit={submit} noValidate>
        <label htmlFor="code">6-digit code</label>
        <input
          id="code"
          className="code"
          ref={field}
          type="text"
          inputMode="numeric"
          autoComplete="one-time-code"
          value={code}
          aria-invalid={wrong !== ""}
          aria-describedby="code-wrong code-hint"
          onChange={(event) => type(event.target.value)}
        />
        <Wrong id="code-wrong">{wrong}</Wrong>
        <p className="hint" id="code-hint">
          {attemptsLeft !== undefined && <span>{tries(attemptsLeft)}</span>}
          {life !== undefined && <span>{life > 0 ? `good for ${clock(life)}` : "this code has expired"}</span>}
        </p>
        <Button type="submit" busy={verify.isPending}>{verify.isPending ? "Checking …" : "Sign in"}</Button>
      </form>
      <Button className="button quiet" busy={resend.isPending} waiting={wait !== undefined && wait > 0} onClick={again}>
        {wait !== undefined && wait > 0 ? `Send a new code in ${wait} s` : "Send a new code"}
      </Button>
    </Entrance>
  );
}

function useSecondsTo(moment: number | undefined): number | undefined {
  const seconds = useMemo(() => (moment === undefined ? 0 : Math.max(0, (moment - Date.now()) / 1000)), [moment]);
  const left = useCountdown(seconds, moment);
  return moment === undefined ? undefined : left;
}

function clock(seconds: number): string {
  return `${Math.floor(seconds / 60)}:${String(seconds % 60).padStart(2, "0")}`;
}

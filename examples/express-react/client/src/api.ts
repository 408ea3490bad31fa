// What the pages ask the server beside the hooks of `oncecode/react`, and its refusals in words.

import { useMutation, useQuery, useQueryClient } from "@tanstack/react-query";
import type { AuthError, OtpSent } from "oncecode/client";
import { SESSION_KEY } from "oncecode/react";

/** A code that was sent, as the page that takes it remembers it; times in milliseconds since 1970. */
export interface Challenge {
  phoneNumber: string;
  /** Absent where the code was sent before this page asked for one. */
  id?: string;
  resendAt: number;
  expiresAt?: number;
  attemptsLeft?: number;
  /** In development alone. */
  otp?: string;
}

export function challengeOf(phoneNumber: string, { id, retryAfter, expiresIn, attemptsLeft, otp }: OtpSent): Challenge {
  const now = Date.now();
  const times = { resendAt: now + retryAfter * 1000, expiresAt: now + expiresIn * 1000 };
  return { phoneNumber, id, attemptsLeft, ...times, ...(otp !== undefined && { otp }) };
}

export interface HealthRecord {
  id: string;
  kind: string;
  title: string;
  issuer: string;
  date: string;
}

export interface VaultContent {
  user: { id: string; phoneNumber: string; memberSince: string };
  records: HealthRecord[];
}

/** A device that somebody is signed in on. */
export interface Device {
  id: string;
  /** What it says it is: `User-Agent`. */
  device?: string;
  lastActiveAt: string;
  /** This one. */
  current: boolean;
}

/** What only whoever is logged in may see. */
export function useVault() {
  const ask = useAsk();
  return useQuery({ queryKey: ["vault"], queryFn: () => ask<VaultContent>("GET", "/api/vault") });
}

export function useDevices() {
  const ask = useAsk();
  return useQuery({ queryKey: ["sessions"], queryFn: async () => (await ask<{ sessions: Device[] }>("GET", "/api/sessions")).sessions });
}

/** Ends the session on another device. */
export function useLogOutThere(options: { onSuccess: () => void; onError: () => void }) {
  const ask = useAsk();
  const queries = useQueryClient();
  return useMutation({
    ...options,
    mutationFn: (id: string) => ask("DELETE", `/api/sessions/${encodeURIComponent(id)}`),
    onSettled: () => queries.invalidateQueries({ queryKey: ["sessions"] }),
  });
}

function useAsk() {
  const queries = useQueryClient();
  return async <Answer,>(method: string, path: string): Promise<Answer> => {
    const answer = await fetch(path, { method, signal: AbortSignal.timeout(15_000) });
    // The session ended elsewhere: asked again, it shows the way in.
    if (answer.status === 401) void queries.invalidateQueries({ queryKey: SESSION_KEY });
    if (!answer.ok) throw new Error(`${path} answered ${answer.status}`);
    return (await answer.json()) as Answer;
  };
}

/** As it is read aloud and compared, on one line: `+91 98765 43210`. */
export function pretty(phoneNumber: string): string {
  const digits = phoneNumber.replace(/[\s().-]/g, "");
  const [, national] = /^(?:\+91|0)?([6-9]\d{9})$/.exec(digits) ?? [];
  return national === undefined ? phoneNumber.trim() : `+91\u00a0${national.slice(0, 5)}\u00a0${national.slice(5)}`;
}

export function tries(count: number): string {
  return count === 1 ? "1 attempt left" : `${count} attempts left`;
}

/** What went wrong and what to do, for people. */
export function words(error: AuthError): string {
  const wait = error.retryAfter === undefined ? "later" : `in ${duration(error.retryAfter)}`;
  switch (error.code) {
    case "INVALID_PHONE":
      return "That is no mobile number. Please check its digits.";
    case "INVALID_CODE":
      return "The code has 6 digits.";
    case "WRONG_CODE":
      return error.attemptsLeft === 0
        ? "That is not the code, and it was the last attempt. Please ask for a new code."
        : `That is not the code. ${error.attemptsLeft === undefined ? "Please try again." : `${tries(error.attemptsLeft)}.`}`;
    case "CODE_NOT_FOUND":
      return "That code is no longer good. Please ask for a new one.";
    case "TOO_MANY_ATTEMPTS":
      return "Too many wrong codes. Please ask for a new one.";
    case "COOLDOWN":
      return `A code is on its way already. You can ask for another ${wait}.`;
    case "RATE_LIMITED":
      return `That was too often. Please try again ${wait}.`;
    case "UNREACHABLE":
    case "REGION_BLOCKED":
      return "We cannot send messages to that number. Please use another one.";
    case "DELIVERY_FAILED":
    case "DELIVERY_LIMITED":
      return "The message could not be sent. Please try again in a moment.";
    case "NETWORK":
      return "No answer came. Please check your connection and try again.";
    default:
      return "Something went wrong on our side. Please try again later.";
  }
}

function duration(seconds: number): string {
  if (seconds < 90) return `${seconds} seconds`;
  return seconds < 5400 ? `${Math.ceil(seconds / 60)} minutes` : `${Math.ceil(seconds / 3600)} hours`;
}

// `oncecode/react`: the endpoints as hooks of React Query 5.

import { type UseMutationOptions, type UseMutationResult, type UseQueryOptions, type UseQueryResult, hashKey, useMutation, useQuery, useQueryClient } from "@tanstack/react-query";
import { createContext, createElement, type ReactNode, useContext, useEffect, useState } from "react";
import { type AuthClient, type AuthError, createAuthClient, type CurrentSession, type LinkSent, type OtpSent, type OtpVerified } from "./client.mjs";

const Context = createContext<AuthClient | undefined>(undefined);
let standard: AuthClient | undefined;

/** Gives the hooks below it another client than one at `/api/auth`. */
export function AuthProvider({ client, children }: { client: AuthClient; children?: ReactNode }) {
  return createElement(Context.Provider, { value: client }, children);
}

/** The client that the hooks use. */
export function useAuthClient(): AuthClient {
  return useContext(Context) ?? (standard ??= createAuthClient());
}

type Options<Answer, Request> = Omit<UseMutationOptions<Answer, AuthError, Request>, "mutationFn">;
type Mutation<Answer, Request> = UseMutationResult<Answer, AuthError, Request>;
type Given<Name extends keyof AuthClient> = Parameters<AuthClient[Name]>[0];

/** `/session` in the cache of React Query. */
export const SESSION_KEY = ["oncecode", "session"] as const;

/** Asks for a code: `mutate({ phoneNumber })`. */
export function useRequestOTP(options: Options<OtpSent, Given<"requestOTP">> = {}): Mutation<OtpSent, Given<"requestOTP">> {
  const { requestOTP } = useAuthClient();
  return useMutation({ ...options, mutationFn: requestOTP });
}

/** Asks for it again. */
export function useResendOTP(options: Options<OtpSent, Given<"resendOTP">> = {}): Mutation<OtpSent, Given<"resendOTP">> {
  const { resendOTP } = useAuthClient();
  return useMutation({ ...options, mutationFn: resendOTP });
}

/** Verifies what the user typed: `mutate({ phoneNumber, otp, id })`. The session is asked for anew afterwards. */
export function useVerifyOTP(options: Options<OtpVerified, Given<"verifyOTP">> = {}): Mutation<OtpVerified, Given<"verifyOTP">> {
  const { verifyOTP } = useAuthClient();
  return useMutation(useRefreshing({ ...options, mutationFn: verifyOTP }));
}

/** Asks for a link by email. */
export function useRequestEmailLink(options: Options<LinkSent, Given<"requestEmailLink">> = {}): Mutation<LinkSent, Given<"requestEmailLink">> {
  const { requestEmailLink } = useAuthClient();
  return useMutation({ ...options, mutationFn: requestEmailLink });
}

/** Uses a link up. */
export function useVerifyEmailLink(options: Options<OtpVerified, Given<"verifyEmailLink">> = {}): Mutation<OtpVerified, Given<"verifyEmailLink">> {
  const { verifyEmailLink } = useAuthClient();
  return useMutation(useRefreshing({ ...options, mutationFn: verifyEmailLink }));
}

/** Logs out, and forgets all that React Query knows: it may be the user's. */
export function useLogout(options: Options<void, void> = {}): Mutation<void, void> {
  const { logout } = useAuthClient();
  const queries = useQueryClient();
  return useMutation({
    ...options,
    mutationFn: () => logout(),
    onSuccess: async (...args) => {
      // An answer that is under way is of before.
      await queries.cancelQueries();
      // In place, so that whatever shows the session is told.
      queries.setQueryData(SESSION_KEY, null);
      const session = hashKey(SESSION_KEY);
      queries.removeQueries({ predicate: ({ queryKey }) => hashKey(queryKey) !== session });
      queries.getMutationCache().clear();
      return options.onSuccess?.(...args);
    },
  });
}

/** Who is logged in: `data` is `null` where nobody is. */
export function useSession(
  options: Omit<UseQueryOptions<CurrentSession | null, AuthError>, "queryKey" | "queryFn"> = {},
): UseQueryResult<CurrentSession | null, AuthError> {
  const { session } = useAuthClient();
  return useQuery({ staleTime: 60_000, ...options, queryKey: SESSION_KEY, queryFn: session });
}

/** Whole seconds left of `seconds`, from when they were given: `useCountdown(sent?.retryAfter, sent?.id)` until the next code. */
export function useCountdown(seconds: number | undefined, from?: unknown): number {
  const [left, setLeft] = useState(Math.ceil(seconds ?? 0));
  useEffect(() => {
    // By the clock: timers of pages in the background are late.
    const ends = Date.now() + (seconds ?? 0) * 1000;
    const tick = () => {
      const now = Math.max(0, Math.ceil((ends - Date.now()) / 1000));
      setLeft(now);
      if (now === 0) clearInterval(timer);
    };
    const timer = setInterval(tick, 250);
    tick();
    return () => clearInterval(timer);
  }, [seconds, from]);
  return left;
}

function useRefreshing<Answer, Request>(
  options: UseMutationOptions<Answer, AuthError, Request>,
): UseMutationOptions<Answer, AuthError, Request> {
  const queries = useQueryClient();
  return {
    ...options,
    onSuccess: async (...args) => {
      await queries.invalidateQueries({ queryKey: SESSION_KEY });
      return options.onSuccess?.(...args);
    },
  };
}

// Compiled, never run: the types of `oncecode/client` and `oncecode/react`.

import { AuthError, type AuthErrorCode, createAuthClient, type OtpSent } from "oncecode/client";
import { useCountdown, useSession, useVerifyOTP } from "oncecode/react";

type Same<A, B> = (<T>() => T extends A ? 1 : 2) extends <T>() => T extends B ? 1 : 2 ? true : false;
function same<A, B>(_: Same<A, B>): void {}

const auth = createAuthClient<{ id: string; name: string }>({ baseUrl: "/auth", credentials: "include" });
const sent = await auth.requestOTP({ phoneNumber: "+15551234567", name: "a field of the app's own" });
same<typeof sent, OtpSent>(true);
const { user } = await auth.verifyOTP({ phoneNumber: "+15551234567", otp: "012345", id: sent.id });
same<typeof user, { id: string; name: string } | undefined>(true);
const session = await auth.session();
same<NonNullable<typeof session>["user"], { id: string; name: string } | undefined>(true);
same<AuthError["code"], AuthErrorCode>(true);

export function Hooks() {
  const verify = useVerifyOTP({ onError: (error) => same<typeof error, AuthError>(true) });
  same<typeof verify.error, AuthError | null>(true);
  verify.mutate({ phoneNumber: "+15551234567", otp: "012345" });
  same<ReturnType<typeof useCountdown>, number>(true);
  same<NonNullable<ReturnType<typeof useSession>["data"]>["session"]["userId"], string>(true);
}

// @ts-expect-error: a code is a string, or its leading zeros would be lost
await auth.verifyOTP({ phoneNumber: "+15551234567", otp: 12345 });

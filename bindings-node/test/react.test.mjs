// The hooks of `oncecode/react`, rendered, against the real endpoints.

import assert from "node:assert/strict";
import { after, test } from "node:test";
import { GlobalWindow } from "happy-dom";
import { AuthError, createAuthClient } from "oncecode/client";
import express from "express";
import { router } from "oncecode/express";

import { open, other, phone } from "./support.mjs";

const page = new GlobalWindow({ url: "http://localhost/" });
Object.assign(globalThis, { window: page, document: page.document, IS_REACT_ACT_ENVIRONMENT: true });
if (!("navigator" in globalThis)) globalThis.navigator = page.navigator;
const { QueryClient, QueryClientProvider } = await import("@tanstack/react-query");
const { act, cleanup, renderHook, waitFor } = await import("@testing-library/react");
const { createElement } = await import("react");
const hooks = await import("oncecode/react");
// Its timers would keep the process alive.
after(() => page.happyDOM.close());

/** Renders hooks in an app with the real endpoints behind it. */
async function rendered(t, use) {
  const once = await open(t);
  const server = express().use("/api/auth", router(once)).listen(0, "127.0.0.1");
  await new Promise((ready) => server.once("listening", ready));
  let cookie = "";
  const client = createAuthClient({
    baseUrl: `http://127.0.0.1:${server.address().port}/api/auth`,
    fetch: async (url, init) => {
      const answer = await fetch(url, { ...init, headers: { ...init.headers, cookie } });
      for (const set of answer.headers.getSetCookie()) cookie = set.split(";")[0];
      return answer;
    },
  });
  const queries = new QueryClient({ defaultOptions: { queries: { retry: false, gcTime: 0 }, mutations: { gcTime: 0 } } });
  const wrapper = ({ children }) =>
    createElement(QueryClientProvider, { client: queries }, createElement(hooks.AuthProvider, { client }, children));
  t.after(() => {
    cleanup();
    queries.clear();
    server.closeAllConnections();
    server.close();
  });
  return Object.assign(renderHook(use, { wrapper }), { wrapper, queries });
}

test("the hooks ask for a code, verify it, know the session and end it", async (t) => {
  const told = [];
  const { result } = await rendered(t, () => ({
    request: hooks.useRequestOTP(),
    verify: hooks.useVerifyOTP({ onSuccess: ({ message }) => told.push(message) }),
    resend: hooks.useResendOTP(),
    logout: hooks.useLogout(),
    session: hooks.useSession(),
  }));
  await waitFor(() => assert.equal(result.current.session.data, null));
  const phoneNumber = phone();
  const { otp, id } = await act(() => result.current.request.mutateAsync({ phoneNumber }));

  const wrong = await act(() => result.current.verify.mutateAsync({ phoneNumber, otp: other(otp) }).catch((error) => error));
  assert.ok(wrong instanceof AuthError);
  await waitFor(() => assert.equal(result.current.verify.error?.attemptsLeft, 4));
  const soon = await act(() => result.current.resend.mutateAsync({ phoneNumber }).catch((error) => error));
  assert.equal(soon.code, "COOLDOWN");

  await act(() => result.current.verify.mutateAsync({ phoneNumber, otp, id }));
  assert.deepEqual(told, ["OTP verified successfully"]);
  await waitFor(() => assert.equal(result.current.session.data?.session.userId, phoneNumber));
  await act(() => result.current.logout.mutateAsync());
  await waitFor(() => assert.equal(result.current.session.data, null));
});

test("a log-out elsewhere on the page is seen by whoever shows the session, and nothing of the user is kept", async (t) => {
  const { result: shown, wrapper, queries } = await rendered(t, hooks.useSession);
  const { result } = renderHook(() => ({ request: hooks.useRequestOTP(), verify: hooks.useVerifyOTP(), logout: hooks.useLogout() }), { wrapper });
  const phoneNumber = phone();
  const { otp } = await act(() => result.current.request.mutateAsync({ phoneNumber }));
  await act(() => result.current.verify.mutateAsync({ phoneNumber, otp }));
  await waitFor(() => assert.equal(shown.current.data?.session.userId, phoneNumber));

  queries.setQueryData(["records"], ["theirs"]);
  // What was asked before the log-out, and is answered after it.
  let answer;
  const late = queries.fetchQuery({ queryKey: ["more"], queryFn: () => new Promise((resolve) => (answer = resolve)) });
  const refused = assert.rejects(late);
  await act(() => result.current.logout.mutateAsync());
  answer("theirs");
  await refused;
  await waitFor(() => assert.equal(shown.current.data, null));
  assert.deepEqual(queries.getQueryCache().getAll().map(({ queryKey }) => queryKey), [hooks.SESSION_KEY]);
  assert.equal(queries.getMutationCache().getAll().length, 0);
});

test("a countdown follows the clock, and begins anew with what it counts from", async (t) => {
  t.mock.timers.enable({ apis: ["setInterval", "Date"] });
  t.after(cleanup);
  const { result, rerender } = renderHook(({ seconds, from }) => hooks.useCountdown(seconds, from), {
    initialProps: { seconds: 60, from: "a" },
  });
  assert.equal(result.current, 60);
  act(() => t.mock.timers.tick(10_000));
  assert.equal(result.current, 50);
  rerender({ seconds: 60, from: "b" });
  assert.equal(result.current, 60);
  act(() => t.mock.timers.tick(60_000));
  assert.equal(result.current, 0);
  rerender({ seconds: undefined, from: undefined });
  assert.equal(result.current, 0);
});

import type { Request, Response, Router } from "express";
import { OncecodeError } from "../errors.cjs";
import type { Oncecode } from "../index.cjs";
import { body, invalid, onlyFields, optionalText, text } from "./body.cjs";
import { clientIp } from "./caller.cjs";
import { handler } from "./handler.cjs";
import { logIn } from "./login.cjs";
import type { LinkRoutes, Settled } from "./options.cjs";
import { address, own, secondsTo } from "./router.cjs";

/** `/email/request`, and `/email/verify`, of which the GET only looks: mail scanners follow links. */
export function linkRoutes(once: Oncecode, settings: Settled, links: LinkRoutes, routes: Router): void {
  const purpose = links.purpose ?? "verify-email";
  const answer = (act: (req: Request, res: Response) => Promise<object>) =>
    handler(once, async (req, res) => void res.json(await act(req, res)));

  routes.post(
    "/email/request",
    answer(async (req, res) => {
      const said = await body(req, res);
      onlyFields(said, ["email", "locale", ...settings.fields]);
      const locale = optionalText(said, "locale");
      const to = address("email", text(said, "email"));
      const data = own(said, settings.fields);
      const request = { to, purpose, data, url: links.url };
      let link = once.links.issue(request);
      // The address in the one spelling that all of its spellings have.
      const { identifier } = await once.links.peek({ token: link.token, purpose });
      const hit = { limit: links.limit ?? "email", key: identifier, ip: clientIp(once, req) };
      const { headers } = await once.limits.hit(hit);
      for (const [name, value] of Object.entries(headers)) res.setHeader(name, value);
      try {
        if (links.send) await links.send({ to: identifier, url: link.url!, data: data ?? {}, expiresAt: link.expiresAt });
        else link = await once.links.send({ ...request, locale });
      } catch (cause) {
        await once.limits.refund(hit).catch(() => {});
        if (!links.send) throw cause;
        throw new OncecodeError("DELIVERY_FAILED", "the email could not be sent", { cause });
      }
      return {
        success: true,
        message: "Verification email sent",
        expiresIn: secondsTo(link.expiresAt),
        ...(once.mode === "development" && { link: link.url }),
      };
    }),
  );
  routes.get(
    "/email/verify",
    answer(async (req, res) => {
      const { token } = req.query;
      if (typeof token !== "string") throw invalid("token must be a string");
      await once.links.peek({ token, purpose });
      // The token is in this page's address.
      res.setHeader("Referrer-Policy", "no-referrer");
      return { success: true, message: "The link is valid", verified: false };
    }),
  );
  routes.post(
    "/email/verify",
    answer(async (req, res) => {
      const said = await body(req, res);
      onlyFields(said, ["token", "email", ...settings.fields]);
      const email = optionalText(said, "email");
      const to = email === undefined ? undefined : address("email", email);
      const { identifier, data } = await once.links.verify({ token: text(said, "token"), purpose, to });
      const proven = {
        identifier,
        purpose,
        data: (data ?? {}) as Record<string, unknown>,
        fields: own(said, settings.fields) ?? {},
        by: "link" as const,
      };
      const login = await logIn(once, settings, links.login ? settings.login : "none", proven, req, res);
      return { success: true, message: "Email verified successfully", verified: true, ...login };
    }),
  );
}

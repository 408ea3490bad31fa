import type { NextFunction, Request, RequestHandler, Response } from "express";
import type { Oncecode } from "../index.cjs";
import { answerError, understood } from "./errors.cjs";

/**
 * An async handler for Express 4 and 5. Refusals are answered here, also where the app has no error handler; faults that
 * nobody expected go to the app's.
 */
export function handler(
  once: Oncecode,
  act: (req: Request, res: Response, next: NextFunction) => Promise<void>,
): RequestHandler {
  return (req, res, next) => {
    act(req, res, next).catch((error: unknown) => {
      const known = understood(error);
      if (known === undefined || res.headersSent) return next(error);
      answerError(once, known, res);
    });
  };
}

/**
 * Several steps before the routes as one. The router looks for the next layer, cuts paths and keeps a frame for each that it is given,
 * which for steps as small as these costs more than they do.
 */
import type { NextFunction, Request, Response } from 'express';

/** A handler that has called `next`, thrown or answered when it returns: a promise that it left behind would be nobody's. */
export type Step = (request: Request, response: Response, next: NextFunction) => void;

/** Runs the steps one after the other; what one of them throws, or hands to `next`, ends the row as it would end the request. */
export function inOrder(...steps: readonly Step[]): Step {
  return (request, response, next) => {
    let at = 0;
    const proceed: NextFunction = (error?: unknown): void => {
      const step = steps[at];
      if (error !== undefined || step === undefined) {
        next(error);
        return;
      }
      at += 1;
      step(request, response, proceed);
    };
    proceed();
  };
}

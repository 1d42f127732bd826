/**
 * Counts requests without a token, or with something that is none, by the address that they come from, whichever route they ask for: also those for which there is
 * no route, and no guard. With a token it is the guard who counts. Probes of health are nobody's to limit.
 */
import type { NextFunction, Request, Response } from 'express';
import { callerAddress } from '@app/auth';
import type { AttemptLimits } from '@app/limits';
import { isProbe } from '../overload/overload.js';

const BEARER = /^bearer +\S+ *$/i;

export function anonymousLimit(limits: AttemptLimits) {
  return (request: Request, _response: Response, next: NextFunction): void => {
    if (!BEARER.test(request.headers.authorization ?? '') && !isProbe(request)) limits.assertMayAsk(callerAddress(request));
    next();
  };
}

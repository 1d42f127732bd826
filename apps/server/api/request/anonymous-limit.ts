/**
 * Counts requests without a token, or with something that is none, by the address that they come from, whichever route they ask for: also those for which there is
 * no route, and no guard. With a token it is the guard who counts. Probes of health are nobody's to limit.
 */
import type { NextFunction, Request, Response } from 'express';
import { bearerCredential, callerAddress } from '@app/auth';
import type { AttemptLimits } from '@app/limits';
import { isProbe } from '../overload/overload.js';

export function anonymousLimit(limits: AttemptLimits) {
  return (request: Request, _response: Response, next: NextFunction): void => {
    if (bearerCredential(request.headers.authorization) === null && !isProbe(request)) limits.assertMayAsk(callerAddress(request));
    next();
  };
}

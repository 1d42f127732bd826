/** The refusal of a request for its rate, whatever it asks for. */
import { TaskRunnerError } from '@app/errors';

/** Whose requests were too many. */
export type Limited = 'tenant' | 'credential' | 'address' | 'attempts';

const WHO: Readonly<Record<Limited, string>> = {
  tenant: 'This tenant has sent more requests than it may.',
  credential: 'This credential has sent more requests than a single one may.',
  address: 'Too many requests without a token have come from this address.',
  attempts: 'Too many attempts with tokens that are not acceptable. Tokens that were accepted a moment ago go on to work.',
};

/** More requests than may come. `waitMs` is when the next one may. */
export class RateLimited extends TaskRunnerError {
  constructor(who: Limited, waitMs: number) {
    super('limited', 'rate-limited', `${WHO[who]} Repeat the request after Retry-After.`, { retryAfterMs: waitMs });
  }
}

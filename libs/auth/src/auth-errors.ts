/**
 * The refusals of the guard. All of kind `unauthenticated` are worded alike: what exactly is wrong with a token goes to the
 * log and never to whoever holds it.
 */
import { TaskRunnerError } from '@app/errors';

const ADVICE = 'This call needs a valid token: send one from whoever issues your tokens as "Authorization: Bearer <token>".';

/** No bearer token at all. */
export class Unauthenticated extends TaskRunnerError {
  constructor() {
    super('unauthenticated', 'unauthenticated', ADVICE);
  }
}

/** A token that is not acceptable. `reason` is for the log. */
export class InvalidToken extends TaskRunnerError {
  constructor(readonly reason: string) {
    super('unauthenticated', 'invalid-token', ADVICE);
  }
}

/** A token that was acceptable until its `exp`. */
export class TokenExpired extends TaskRunnerError {
  readonly reason = 'expired';

  constructor() {
    super('unauthenticated', 'token-expired', ADVICE);
  }
}

/** A good token without a scope that this call needs. */
export class InsufficientScope extends TaskRunnerError {
  constructor(readonly required: readonly string[]) {
    super(
      'forbidden',
      'insufficient-scope',
      `This call needs a token with the scope ${required.map((scope) => `"${scope}"`).join(' and ')}.`,
    );
  }
}

/** As many revocations of the tenant are kept as may be. */
export class TooManyRevocations extends TaskRunnerError {
  constructor(max: number) {
    super(
      'limited',
      'too-many-revocations',
      `${max} revocations of this tenant are kept, and no more may be. Revoke all tokens of a subject or of the tenant instead.`,
      { retryAfterMs: 60_000 },
    );
  }
}

/**
 * The refusals of the guard. All of kind `unauthenticated` are worded alike: what exactly is wrong with a token goes to the
 * log and never to whoever holds it.
 */
import { TaskRunnerError } from '@app/errors';

/** No bearer token at all. */
export class Unauthenticated extends TaskRunnerError {
  constructor() {
    super('unauthenticated', 'unauthenticated', 'This call needs a token: send it as "Authorization: Bearer <token>".');
  }
}

/** A token that is not acceptable. `reason` is for the log. */
export class InvalidToken extends TaskRunnerError {
  constructor(readonly reason: string) {
    super('unauthenticated', 'invalid-token', 'The token is not acceptable. Get a new one from whoever issues your tokens.');
  }
}

/** A token that was acceptable until its `exp`. */
export class TokenExpired extends TaskRunnerError {
  constructor() {
    super('unauthenticated', 'token-expired', 'The token has expired. Get a new one from whoever issues your tokens.');
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

/** What may go wrong with API keys, besides what goes wrong with every credential. */
import { TaskRunnerError } from '@app/errors';
import { InvalidToken } from '../auth-errors.js';

/** An API key that is not acceptable. `keyId` is the id that it names, null where it cannot be read; who guesses secrets is counted by it. */
export class InvalidKey extends InvalidToken {
  constructor(
    reason: string,
    readonly keyId: string | null,
  ) {
    super(`API key: ${reason}`);
  }
}

/** A caller would get, through a key, what it may not do itself. `wanted` is for the log. */
export class ScopeEscalation extends TaskRunnerError {
  constructor(
    message: string,
    readonly wanted: readonly string[],
  ) {
    super('forbidden', 'scope-escalation', message);
  }
}

/** As many keys of the tenant are alive as may be. */
export class TooManyKeys extends TaskRunnerError {
  constructor(max: number) {
    super('conflict', 'too-many-keys', `${max} API keys of this tenant are active, and no more may be. Revoke one that nobody needs.`);
  }
}

/** There is no pepper to hash keys with, so none can be made or accepted. */
export class KeysSwitchedOff extends TaskRunnerError {
  constructor() {
    super('conflict', 'api-keys-off', 'This installation takes no API keys. Ask its operator to set AUTH_KEY_PEPPER, or use a token.');
  }
}

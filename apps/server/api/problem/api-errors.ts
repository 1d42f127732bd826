/** The errors only an HTTP front raises. */
import { MalformedRequest, TaskRunnerError } from '@app/errors';

/** More bytes than the limit, whether announced, sent, or in the payload alone. */
export class PayloadTooLarge extends TaskRunnerError {
  constructor(maxBytes: number) {
    super(
      'too-large',
      'payload-too-large',
      `More than the ${maxBytes} bytes accepted here. Store the data elsewhere and send a reference.`,
    );
  }
}

/** A body in a form that is not read here. */
export class UnsupportedMedia extends TaskRunnerError {
  constructor(code: string, message: string) {
    super('unsupported-media', code, message);
  }
}

/** This process has more to do than it can. */
export class Overloaded extends TaskRunnerError {
  constructor(retryAfterMs: number) {
    super(
      'unavailable',
      'overloaded',
      'This instance has more to do than it can. Nothing was done. Repeat the request after Retry-After.',
      {
        retryAfterMs,
      },
    );
  }
}

/** An id that no task can have. */
export class InvalidId extends MalformedRequest {
  constructor() {
    super('invalid-id', 'The id in the path is not a UUID.');
  }
}

/**
 * Makes problem documents and writes the log line that belongs to each: what is ours at error level with its cause, what is
 * a dependency's as a warning, why a token was refused at info, and nothing at all for a caller's ordinary mistakes.
 */
import { Inject, Injectable } from '@nestjs/common';
import { InvalidToken } from '@app/auth';
import { Logger } from '@app/telemetry';
import { problemOf, type Problem } from './problem.js';

@Injectable()
export class ProblemReporter {
  constructor(@Inject(Logger) private readonly logger: Logger) {}

  /** The document for any thrown value; logs what an operator has to know. */
  report(error: unknown, requestId: string): Problem {
    const problem = problemOf(error, requestId);
    const fields = { requestId, code: problem.code };
    if (problem.status === 503) {
      this.logger.warn({ ...fields, err: error }, 'a dependency does not answer');
    } else if (problem.status >= 500) {
      this.logger.error({ ...fields, err: error }, 'a request failed');
    } else if (error instanceof InvalidToken) {
      this.logger.info({ ...fields, reason: error.reason }, 'a token was refused');
    }
    return problem;
  }
}

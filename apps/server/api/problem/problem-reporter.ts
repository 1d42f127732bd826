/**
 * Makes problem documents and writes the log line that belongs to each: what is ours at error level with its cause, what is
 * a dependency's as a warning, why a credential was refused (some of them, and how many), and nothing at all for a caller's
 * ordinary mistakes.
 */
import { Inject, Injectable } from '@nestjs/common';
import { Clock } from '@app/lifecycle';
import { Logger } from '@app/telemetry';
import { Overloaded } from './api-errors.js';
import { problemOf, type Problem } from './problem.js';
import { isRefusal, Refusals } from './refusals.js';

/** While a dependency is away every request says the same; one line in this many ms, with the number of those left out, is enough. */
const OUTAGE_LINE_MS = 1_000;

@Injectable()
export class ProblemReporter {
  private outageToldAt = Number.NEGATIVE_INFINITY;
  private untold = 0;
  private readonly refusals: Refusals;

  constructor(
    @Inject(Logger) private readonly logger: Logger,
    @Inject(Clock) private readonly clock: Clock,
  ) {
    this.refusals = new Refusals(logger, clock);
  }

  /** The document for any thrown value; logs what an operator has to know. */
  report(error: unknown, requestId: string): Problem {
    const problem = problemOf(error, requestId);
    const fields = { requestId, code: problem.code };
    if (error instanceof Overloaded) {
      // Who sends requests away tells of it, once.
      return problem;
    }
    if (problem.status === 503) {
      this.tellOutage({ ...fields, err: error });
    } else if (problem.status >= 500) {
      this.logger.error({ ...fields, err: error }, 'a request failed');
    } else if (isRefusal(error)) {
      this.refusals.note(error, requestId);
    }
    return problem;
  }

  private tellOutage(fields: Readonly<Record<string, unknown>>): void {
    const now = this.clock.monotonic();
    if (now - this.outageToldAt < OUTAGE_LINE_MS) {
      this.untold += 1;
      return;
    }
    this.outageToldAt = now;
    this.logger.warn({ ...fields, likeItBefore: this.untold }, 'a dependency does not answer');
    this.untold = 0;
  }
}

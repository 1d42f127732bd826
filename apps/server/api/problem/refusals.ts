/**
 * Tells the log of refused credentials: why, which the caller is not told, and how many there were. Anybody can cause as many as he
 * likes, so they are counted by their kind and only some are written: ten at once, then one line a second at most, which
 * tells how many were left out. None of them is a row anywhere: a stranger must not be able to fill a table.
 */
import { InvalidKey, InvalidToken, ScopeEscalation, TokenExpired } from '@app/auth';
import type { TaskRunnerError } from '@app/errors';
import type { Clock } from '@app/lifecycle';
import type { Logger } from '@app/telemetry';

const LINES_AT_ONCE = 10;
const LINE_EVERY_MS = 1_000;

type Refusal = InvalidToken | TokenExpired | ScopeEscalation;

export function isRefusal(error: unknown): error is Refusal {
  return error instanceof InvalidToken || error instanceof TokenExpired || error instanceof ScopeEscalation;
}

export class Refusals {
  /** By code, and apart for API keys: a few kinds, whatever is sent. */
  private readonly counts = new Map<string, number>();
  private lines = LINES_AT_ONCE;
  private earnedAt = Number.NEGATIVE_INFINITY;
  private leftOut = 0;

  constructor(
    private readonly logger: Pick<Logger, 'info' | 'warn'>,
    private readonly clock: Clock,
  ) {}

  note(error: Refusal, requestId: string): void {
    const kind = error instanceof InvalidKey ? `${error.code} (key)` : error.code;
    const count = (this.counts.get(kind) ?? 0) + 1;
    this.counts.set(kind, count);
    if (!this.mayWrite()) {
      this.leftOut += 1;
      return;
    }
    const fields = { requestId, code: error.code, ofThisKind: count, leftOut: this.leftOut, ...detailsOf(error) };
    this.leftOut = 0;
    if (error instanceof ScopeEscalation) {
      this.logger.warn(fields, 'a caller asked for more rights than it has');
    } else {
      this.logger.info(fields, 'a token was refused');
    }
  }

  private mayWrite(): boolean {
    const now = this.clock.monotonic();
    const earned = Math.floor((now - this.earnedAt) / LINE_EVERY_MS);
    if (earned > 0) {
      this.lines = Math.min(LINES_AT_ONCE, this.lines + earned);
      this.earnedAt = now;
    }
    if (this.lines === 0) return false;
    this.lines -= 1;
    return true;
  }
}

function detailsOf(error: TaskRunnerError): Readonly<Record<string, unknown>> {
  if (error instanceof InvalidKey) return { reason: error.reason, keyId: error.keyId };
  if (error instanceof InvalidToken || error instanceof TokenExpired) return { reason: error.reason };
  return error instanceof ScopeEscalation ? { wanted: error.wanted } : {};
}

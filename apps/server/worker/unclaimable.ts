/**
 * Tasks that the database refuses to let this worker claim, for a reason that asking again will not cure: a value at its bound, a
 * trigger of somebody else. They are passed over for a while, so that they stop nobody else's claim and fill no log, and then tried again,
 * because what refuses them may be mended meanwhile. They stay queued; what is remembered here is only worth statements, and is bounded.
 */
import { Inject, Injectable } from '@nestjs/common';
import { idText } from '@app/database';
import { Clock } from '@app/lifecycle';
import { Logger, repeatedLine } from '@app/telemetry';

/** How long a refused task is passed over, in ms. */
const PASSED_OVER_MS = 60_000;
/** How many are remembered; the oldest are forgotten first. All of them go into a statement that draws from the backlog. */
const REMEMBERED_MAX = 200;

@Injectable()
export class Unclaimable {
  /** When each was refused, by its id, in that order. */
  private readonly refusedAt = new Map<string, { id: Buffer; at: number }>();
  private readonly warn: ReturnType<typeof repeatedLine>;

  constructor(
    @Inject(Clock) private readonly clock: Pick<Clock, 'monotonic'>,
    @Inject(Logger) logger: Pick<Logger, 'warn'>,
  ) {
    this.warn = repeatedLine(
      logger,
      () => clock.monotonic(),
      'The database refuses to let a task be claimed; it is passed over for a minute.',
    );
  }

  refused(id: Buffer, err: unknown): void {
    const taskId = idText(id);
    this.warn({ err, taskId });
    this.refusedAt.delete(taskId);
    this.refusedAt.set(taskId, { id, at: this.clock.monotonic() });
    const [oldest] = this.refusedAt.keys();
    if (this.refusedAt.size > REMEMBERED_MAX && oldest !== undefined) this.refusedAt.delete(oldest);
  }

  /** Those that are to be passed over now. */
  get ids(): readonly Buffer[] {
    const now = this.clock.monotonic();
    for (const [taskId, { at }] of this.refusedAt) {
      if (now - at < PASSED_OVER_MS) break;
      this.refusedAt.delete(taskId);
    }
    return [...this.refusedAt.values()].map(({ id }) => id);
  }

  /** The ids without those that are to be passed over now. */
  without(ids: readonly Buffer[]): readonly Buffer[] {
    if (this.refusedAt.size === 0) return ids;
    const passedOver = this.ids;
    return ids.filter((id) => !passedOver.some((other) => other.equals(id)));
  }
}

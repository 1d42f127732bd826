/**
 * Rings for tasks that are committed and claimable. A ring that fails costs latency, not a task: the rows are marked unrung,
 * which puts them where workers look by themselves; and if even that fails, the reconciler finds them.
 */
import { list, sql, type Database } from '@app/database';
import { failpoint } from '@app/lifecycle';
import type { Doorbell, Lane, Ring } from '@app/queue';

/** How many tasks one statement sets aside. */
const PAGE = 1_000;

export interface Ringable {
  id: Buffer;
  tenant: string;
  queue: string;
  lane: Lane;
}

export class Ringer {
  private readonly inFlight = new Set<Promise<void>>();

  constructor(
    private readonly database: Database,
    private readonly doorbell: Doorbell,
    private readonly onError: (error: unknown) => void,
  ) {}

  /** The phase a queued task is stored with: `live` if a message for it fits the window, else `unrung`. */
  phaseFor(task: Omit<Ringable, 'id'>): 'live' | 'unrung' {
    return this.doorbell.admits(task.tenant, task.queue, task.lane, 1) ? 'live' : 'unrung';
  }

  /** Never throws. */
  async ring(tasks: readonly Ringable[]): Promise<void> {
    if (tasks.length === 0) return;
    const ringing = this.send(tasks);
    this.inFlight.add(ringing);
    await ringing;
    this.inFlight.delete(ringing);
  }

  /** Resolves when no ring is in flight. */
  async drained(): Promise<void> {
    await Promise.all(this.inFlight);
  }

  private async send(tasks: readonly Ringable[]): Promise<void> {
    try {
      await this.doorbell.ring(grouped(tasks));
      failpoint('ring.sent');
    } catch (error) {
      this.onError(error);
      await this.setAside(tasks.map((task) => task.id));
    }
  }

  /** Marks queued tasks unrung: they wait for a worker that looks by itself. Never throws. */
  async setAside(ids: readonly Buffer[]): Promise<void> {
    const ordered = [...ids].sort(Buffer.compare);
    try {
      for (let from = 0; from < ordered.length; from += PAGE) {
        await this.database.execute(
          sql`UPDATE tasks${this.database.dialect.byPrimary} SET phase = 'unrung', rung_at = 0 WHERE id IN (${list(ordered.slice(from, from + PAGE))}) AND state = 'queued' AND phase = 'live'`,
        );
      }
    } catch (error) {
      this.onError(error);
    }
  }
}

function grouped(tasks: readonly Ringable[]): Ring[] {
  const groups = new Map<string, { tenant: string; queue: string; lane: Lane; ids: Buffer[] }>();
  for (const { id, tenant, queue, lane } of tasks) {
    const key = `${tenant} ${queue} ${lane}`;
    const group = groups.get(key);
    if (group === undefined) groups.set(key, { tenant, queue, lane, ids: [id] });
    else group.ids.push(id);
  }
  return [...groups.values()];
}

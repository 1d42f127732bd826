/**
 * Waits for tasks to finish, for clients that asked to. One statement looks for all of them, soon at first and then every
 * quarter second, so a thousand waiting clients cost four reads a second. A wait ends with the task, at its timeout, or when
 * the process begins to stop.
 */
import { type Database, idBytes, list, sql } from '@app/database';
import { pause, type Drain } from '@app/lifecycle';
import type { TaskReader } from './read.js';
import type { TaskView } from './task.js';

const WAITING_MAX = 2_000;
const LOOK_MS_MIN = 15;
const LOOK_MS_MAX = 250;
const GROWTH = 1.5;

interface Waiter {
  id: Buffer;
  found(): void;
}

export class TaskWaiter {
  private readonly waiting = new Set<Waiter>();
  private looking = false;
  private fresh = false;

  constructor(
    private readonly database: Database,
    private readonly reader: TaskReader,
    private readonly drain: Drain,
  ) {}

  /** The finished task, or null at the timeout, when the caller leaves, when too many wait, or when the process stops. */
  async wait(tenant: string, id: string, timeoutMs: number, signal: AbortSignal): Promise<TaskView | null> {
    const bytes = idBytes(id);
    if (bytes === null || this.waiting.size >= WAITING_MAX || this.drain.draining) return null;
    const ended = new AbortController();
    let finished = false;
    const waiter: Waiter = {
      id: bytes,
      found: () => {
        finished = true;
        ended.abort();
      },
    };
    this.waiting.add(waiter);
    this.fresh = true;
    void this.look();
    try {
      await pause(timeoutMs, AbortSignal.any([ended.signal, signal, this.drain.signal]));
    } finally {
      this.waiting.delete(waiter);
    }
    return finished ? this.reader.get(tenant, id) : null;
  }

  private async look(): Promise<void> {
    if (this.looking) return;
    this.looking = true;
    let interval = LOOK_MS_MIN;
    while (this.waiting.size > 0) {
      interval = this.fresh ? LOOK_MS_MIN : Math.min(LOOK_MS_MAX, interval * GROWTH);
      this.fresh = false;
      await pause(interval);
      await this.announce().catch(() => {
        // The database is away: the waits go on until their timeouts.
        interval = LOOK_MS_MAX;
      });
    }
    this.looking = false;
  }

  private async announce(): Promise<void> {
    const waiters = [...this.waiting];
    if (waiters.length === 0) return;
    const found = await this.database.query<{ id: Buffer }>(
      sql`SELECT id FROM tasks WHERE id IN (${list(waiters.map(({ id }) => id))}) AND finished_at > 0`,
    );
    const finished = new Set(found.map((row) => row.id.toString('hex')));
    for (const waiter of waiters) if (finished.has(waiter.id.toString('hex'))) waiter.found();
  }
}

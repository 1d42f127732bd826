/**
 * The register of workers: one row each, renewed by its heartbeat. The row is the lease of everything the worker runs, so
 * tasks need no lease of their own; a beat that finds the row no longer live has lost them all.
 */
import { type Database, idText, list, NOBODY, sql, type Sql } from '@app/database';
import type { WorkerRow } from './entities.js';
import type { WorkerView } from './task.js';

export interface Registration {
  id: Buffer;
  host: string;
  pid: number;
  /** `*` for all. */
  queues: readonly string[];
  /** Names, and the ways to fallbacks as in `mail.send>mail.queue`. */
  handlers: readonly string[];
  concurrency: number;
  leaseMs: number;
}

/** A `>` is in no name. */
const isName = (way: string): boolean => !way.includes('>');

export class Workers {
  constructor(private readonly database: Database) {}

  async register(worker: Registration): Promise<void> {
    const { now } = this.database.dialect;
    await this.database.execute(
      sql`INSERT INTO workers (id, host, pid, state, queues, handlers, concurrency, lease_ms, beat, solo_task, started_at, heartbeat_at) VALUES (${worker.id}, ${worker.host}, ${worker.pid}, 'live', ${JSON.stringify(worker.queues)}, ${JSON.stringify(worker.handlers)}, ${worker.concurrency}, ${worker.leaseMs}, 0, ${NOBODY}, ${now}, ${now})`,
    );
  }

  /** The statement of one heartbeat; it changes no row once the worker is lost. */
  beat(id: Buffer): Sql {
    return sql`UPDATE workers SET beat = beat + 1, heartbeat_at = ${this.database.dialect.now} WHERE id = ${id} AND state IN ('live', 'draining')`;
  }

  async drain(id: Buffer): Promise<void> {
    await this.database.execute(sql`UPDATE workers SET state = 'draining' WHERE id = ${id} AND state = 'live'`);
  }

  /**
   * Says that the worker runs this task and nothing else, so that its death would be this task's doing; null: no longer. False
   * where it could not be said.
   */
  async setSolo(id: Buffer, task: Buffer | null): Promise<boolean> {
    try {
      return (await this.database.execute(sql`UPDATE workers SET solo_task = ${task ?? NOBODY} WHERE id = ${id} AND state = 'live'`)) === 1;
    } catch {
      return false;
    }
  }

  /**
   * The statement by which a worker that is about to be ended says whose fault it is; its values are the task's id and the worker's.
   * The sweep reads it as it reads `setSolo`: the crash is this task's alone.
   */
  get blame(): string {
    return "UPDATE workers SET solo_task = ? WHERE id = ? AND state IN ('live', 'draining')";
  }

  /** The worker holds nothing any more. What it should still hold is swept. */
  async stop(id: Buffer): Promise<void> {
    await this.database.execute(sql`UPDATE workers SET state = 'stopped' WHERE id = ${id} AND state IN ('live', 'draining')`);
  }

  /**
   * A worker that was declared lost is alive after all: it was cut off, nobody died, and so no crash counts against the tasks it
   * held. What was swept already has its crash taken back; what is swept from now on was left by a `stopped` worker.
   */
  async survive(id: Buffer, held: readonly Buffer[]): Promise<void> {
    await this.database.transaction(async (transaction) => {
      const marked = await transaction.execute(sql`UPDATE workers SET state = 'stopped' WHERE id = ${id} AND state = 'lost'`);
      if (marked === 0 || held.length === 0) return;
      await transaction.execute(
        sql`UPDATE tasks SET crashes = crashes - 1 WHERE id IN (${list(held)}) AND crashes > 0 AND EXISTS (SELECT 1 FROM attempts a WHERE a.task_id = tasks.id AND a.worker_id = ${id} AND a.outcome = 'lost')`,
      );
    });
  }

  /** How many tasks all workers together may run at a time. */
  async capacity(): Promise<number> {
    const [found] = await this.database.query<{ slots: number }>(
      sql`SELECT COALESCE(SUM(concurrency), 0) AS slots FROM workers WHERE state IN ('live', 'draining')`,
    );
    return Number(found?.slots ?? 0);
  }

  /** Embedded: this process holds the only lock on the file, so whoever else is in the register is gone. */
  async loseAll(): Promise<number> {
    return this.database.execute(sql`UPDATE workers SET state = 'lost' WHERE state IN ('live', 'draining')`);
  }

  /** Newest first, at most 500. */
  async list(): Promise<WorkerView[]> {
    const found = await this.database.entities((manager) =>
      manager.getRepository<WorkerRow>('Worker').find({ order: { started_at: 'DESC' }, take: 500 }),
    );
    return found.map((row) => ({
      id: idText(Buffer.from(row.id)),
      host: row.host,
      pid: row.pid,
      state: row.state,
      queues: JSON.parse(row.queues) as string[],
      handlers: (JSON.parse(row.handlers) as string[]).filter(isName),
      concurrency: row.concurrency,
      startedAt: row.started_at,
      heartbeatAt: row.heartbeat_at,
    }));
  }
}

/**
 * Walks finished tasks in the order of their ids, which is that of their creation, and deletes those past their retention. States
 * that are kept equally long share a walk. A walk ends where tasks are too young to be old enough, and the next lap begins at
 * the first task that the last one left and may still delete: what is kept longer, and so belongs to another walk, is not read
 * at every lap. What an operator sends round again behind that mark is found by the lap that begins at the beginning, once a day.
 */
import { list, sql, type Database } from '@app/database';
import { failpoint } from '@app/lifecycle';
import type { FinalState, TaskPhase } from './states.js';
import { idFloor } from './task-id.js';

const EXAMINED = 2_000;
const PAGE = 500;
const WHOLE_LAP_EVERY_MS = 86_400_000;
const BEGINNING: Buffer = Buffer.alloc(16);
const UNFINISHED: readonly TaskPhase[] = ['waiting', 'unrung', 'live'];

interface Examined {
  id: Buffer;
  phase: TaskPhase;
  finished_at: number;
}

export class TaskWalk {
  /** This lap goes on after this id. */
  private cursor = BEGINNING;
  /** The next lap goes on after this id: the last one before the first task that was left and is of interest. */
  private mark: Buffer | null = null;
  private wholeLapAt: number | null = null;

  constructor(
    private readonly database: Database,
    private readonly states: readonly FinalState[],
    private readonly keptMs: number,
  ) {}

  /** Examines one page by the database's `now`; `again` while this lap has more. */
  async step(now: number): Promise<{ deleted: number; again: boolean }> {
    this.wholeLapAt ??= now + WHOLE_LAP_EVERY_MS;
    const oldest = now - this.keptMs;
    const examined = await this.database.query<Examined>(
      sql`SELECT id, phase, finished_at FROM tasks${this.database.dialect.byPrimary} WHERE id > ${this.cursor} AND id < ${idFloor(oldest)} ORDER BY id LIMIT ${EXAMINED}`,
    );
    const old = examined.filter((row) => this.isMine(row) && row.finished_at < oldest);
    if (old.length > 0) failpoint('prune.selected');
    let deleted = 0;
    for (let from = 0; from < old.length; from += PAGE) deleted += await this.delete(oldest, old.slice(from, from + PAGE));
    const goes = new Set(deleted === old.length ? old : []);
    const stays = examined.findIndex((row) => !goes.has(row) && (this.isMine(row) || UNFINISHED.includes(row.phase)));
    if (stays >= 0) this.mark ??= examined[stays - 1]?.id ?? this.cursor;
    this.cursor = examined.at(-1)?.id ?? this.cursor;
    const again = examined.length === EXAMINED;
    if (!again) this.startOver(now);
    return { deleted, again };
  }

  private startOver(now: number): void {
    this.cursor = this.mark ?? this.cursor;
    this.mark = null;
    if (this.wholeLapAt === null || now < this.wholeLapAt) return;
    this.cursor = BEGINNING;
    this.wholeLapAt = null;
  }

  private isMine({ phase }: Examined): boolean {
    return (this.states as readonly TaskPhase[]).includes(phase);
  }

  /** Only what is still as it was seen, under the lock: an operator may have sent a task round again. Who holds a row keeps it. */
  private async delete(oldest: number, tasks: readonly Examined[]): Promise<number> {
    const { byPrimary, lockFree } = this.database.dialect;
    return this.database.transaction(async (transaction) => {
      const finished = await transaction.query<{ id: Buffer }>(
        sql`SELECT id FROM tasks${byPrimary} WHERE id IN (${list(tasks.map(({ id }) => id))}) AND phase IN (${list(this.states)}) AND finished_at < ${oldest} ORDER BY id${lockFree}`,
      );
      if (finished.length === 0) return 0;
      failpoint('prune.locked');
      const members = list(finished.map(({ id }) => id));
      // Not its resources: those outlive it until somebody has let go of them.
      await transaction.commitWith([
        sql`DELETE FROM attempts WHERE task_id IN (${members})`,
        sql`DELETE FROM timers WHERE task_id IN (${members})`,
        sql`DELETE FROM task_tags WHERE task_id IN (${members})`,
        sql`DELETE FROM task_progress WHERE task_id IN (${members})`,
        sql`DELETE FROM cancel_requests WHERE task_id IN (${members})`,
        sql`DELETE FROM task_events WHERE task_id IN (${members})`,
        sql`DELETE FROM task_checkpoints WHERE task_id IN (${members})`,
        sql`DELETE FROM tasks WHERE id IN (${members})`,
      ]);
      failpoint('prune.committed');
      return finished.length;
    });
  }
}

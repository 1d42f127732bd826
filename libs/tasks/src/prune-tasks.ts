/**
 * Walks finished tasks in the order of their ids, which is that of their creation, and deletes those past their retention. States
 * that are kept equally long share a walk. A walk ends where tasks are too young to be old enough, and the next lap begins at
 * the first task that the last one left and may still delete: what is kept longer, and so belongs to another walk, is not read
 * at every lap. What an operator sends round again behind that mark is found by the lap that begins at the beginning, once a day.
 *
 * A task may have had thousands of attempts and events, so a transaction is bounded in rows and not only in tasks. A task goes whole
 * in one transaction; one that has too much for that loses its oldest history first, in transactions of its own, and its last attempt
 * with its row. A step that has made as many transactions as it may ends in the middle of its page, and the next goes on from there.
 */
import { type Database, idFloor, join, list, sql, type Transaction } from '@app/database';
import { failpoint } from '@app/lifecycle';
import type { FinalState, TaskPhase } from './states.js';

const EXAMINED = 2_000;
const PAGE = 500;
/** How much one transaction deletes at most of the attempts, and as much again of the events. */
const HISTORY_ROWS = 1_000;
/** Of one step. */
const TRANSACTIONS_MAX = 20;
const WHOLE_LAP_EVERY_MS = 86_400_000;
const BEGINNING: Buffer = Buffer.alloc(16);
const UNFINISHED: readonly TaskPhase[] = ['waiting', 'unrung', 'live'];

const HISTORY = [sql`attempts`, sql`task_events`];

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
    const { deleted, rest } = await this.deleteAll(oldest, old);
    const [next] = rest;
    const walked = next === undefined ? examined : examined.slice(0, examined.indexOf(next));
    const goes = new Set(deleted === old.length - rest.length ? old : []);
    const stays = walked.findIndex((row) => !goes.has(row) && (this.isMine(row) || UNFINISHED.includes(row.phase)));
    if (stays >= 0) this.mark ??= walked[stays - 1]?.id ?? this.cursor;
    this.cursor = walked.at(-1)?.id ?? this.cursor;
    const again = rest.length > 0 || examined.length === EXAMINED;
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

  /** `rest`: what this step has no transaction left for. */
  private async deleteAll(oldest: number, tasks: readonly Examined[]): Promise<{ deleted: number; rest: readonly Examined[] }> {
    let deleted = 0;
    let rest = tasks;
    for (let made = 0; made < TRANSACTIONS_MAX && rest.length > 0; made += 1) {
      const page = rest.slice(0, PAGE);
      const large = await this.firstTooLarge(page);
      const [first] = page;
      if (first !== undefined && large?.equals(first.id) === true) {
        if (!(await this.shorten(oldest, first))) rest = rest.slice(1);
        continue;
      }
      const whole = large === null ? page : page.filter(({ id }) => Buffer.compare(id, large) < 0);
      deleted += await this.delete(oldest, whole);
      rest = rest.slice(whole.length);
    }
    return { deleted, rest };
  }

  /** The first task whose history one transaction cannot delete together with that of the tasks before it; null where there is none. */
  private async firstTooLarge(tasks: readonly Examined[]): Promise<Buffer | null> {
    const members = list(tasks.map(({ id }) => id));
    const { byPrimary } = this.database.dialect;
    const beyond = HISTORY.map(
      (table) =>
        sql`SELECT task_id FROM (SELECT task_id FROM ${table}${byPrimary} WHERE task_id IN (${members}) ORDER BY task_id LIMIT 1 OFFSET ${HISTORY_ROWS}) AS beyond`,
    );
    const found = await this.database.query<{ task_id: Buffer }>(join(beyond, ' UNION ALL '));
    return found.map(({ task_id: id }) => id).sort(Buffer.compare)[0] ?? null;
  }

  /** False where the task is not to be deleted after all. */
  private async shorten(oldest: number, task: Examined): Promise<boolean> {
    return this.database.transaction(async (transaction) => {
      const [found] = await this.lock(transaction, oldest, [task]);
      if (found === undefined) return false;
      const { id } = found;
      const [attempt] = await transaction.query<{ attempt: number }>(
        sql`SELECT attempt FROM attempts WHERE task_id = ${id} ORDER BY attempt LIMIT 1 OFFSET ${HISTORY_ROWS}`,
      );
      const [event] = await transaction.query<{ at: number }>(
        sql`SELECT at FROM task_events WHERE task_id = ${id} ORDER BY at LIMIT 1 OFFSET ${HISTORY_ROWS}`,
      );
      await transaction.commitWith([
        sql`DELETE FROM attempts WHERE task_id = ${id} AND attempt < ${attempt?.attempt ?? 0}`,
        sql`DELETE FROM task_events WHERE task_id = ${id} AND at < ${event?.at ?? 0}`,
      ]);
      return true;
    });
  }

  private async delete(oldest: number, tasks: readonly Examined[]): Promise<number> {
    return this.database.transaction(async (transaction) => {
      const finished = await this.lock(transaction, oldest, tasks);
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

  /** Only what is still as it was seen: an operator may have sent a task round again. Who holds a row keeps it. */
  private async lock(transaction: Transaction, oldest: number, tasks: readonly Examined[]): Promise<{ id: Buffer }[]> {
    const { byPrimary, lockFree } = this.database.dialect;
    return transaction.query<{ id: Buffer }>(
      sql`SELECT id FROM tasks${byPrimary} WHERE id IN (${list(tasks.map(({ id }) => id))}) AND phase IN (${list(this.states)}) AND finished_at < ${oldest} ORDER BY id${lockFree}`,
    );
  }
}

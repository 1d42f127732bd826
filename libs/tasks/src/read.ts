/**
 * Reads tasks for people. Every statement carries the tenant: what belongs to another one is not there. Lists use keyset
 * paging on (tenant, ended, id) and look at a bounded number of rows per call, so that a filter nobody matches costs a page
 * and not a table scan; the page says where to go on.
 */
import { type Database, idBytes, idText, join, list, type Row, sql } from '@app/database';
import { NotFound } from '@app/errors';
import type { AttemptRow, TaskRow } from './entities.js';
import { bounds, candidates, conditions, EXAMINED_MAX, isNarrowed, selectionOf, type Selection } from './filter.sql.js';
import type { AttemptView, TaskError, TaskFilter, TaskPage, TaskView } from './task.js';
import { viewOf, type Extras } from './view.js';

const ATTEMPTS_MAX = 1_000;
/** Payloads and results that one page carries; a page of large tasks is short, and says where to go on. */
const PAGE_BYTES_MAX = 4 * 1024 * 1024;

export class TaskReader {
  constructor(private readonly database: Database) {}

  /** Throws NotFound, also for another tenant's task. */
  async get(tenant: string, id: string): Promise<TaskView> {
    const bytes = idBytes(id);
    const view = bytes === null ? null : await this.find(tenant, bytes);
    if (view === null) throw new NotFound('task');
    return view;
  }

  async find(tenant: string, id: Buffer): Promise<TaskView | null> {
    const found = await this.database.query<TaskRow>(sql`SELECT * FROM tasks WHERE id = ${id} AND tenant = ${tenant}`);
    const [view] = await this.views(found);
    return view ?? null;
  }

  /** Each by its place; null for one that is not there, or not that tenant's. */
  async findMany(wanted: readonly { tenant: string; id: Buffer }[]): Promise<(TaskView | null)[]> {
    const ids = list(wanted.map(({ id }) => id));
    const found = await this.views(await this.database.query<TaskRow>(sql`SELECT * FROM tasks WHERE id IN (${ids})`));
    const byId = new Map(found.map((view) => [view.id, view]));
    return wanted.map(({ tenant, id }) => {
      const view = byId.get(idText(id));
      return view?.tenant === tenant ? view : null;
    });
  }

  /** The attempts of a task, oldest first, the latest 1,000 of them. Throws NotFound. */
  async attempts(tenant: string, id: string): Promise<AttemptView[]> {
    const bytes = idBytes(id);
    if (bytes === null) throw new NotFound('task');
    const owned = await this.database.query(sql`SELECT 1 AS yes FROM tasks WHERE id = ${bytes} AND tenant = ${tenant}`);
    if (owned.length === 0) throw new NotFound('task');
    const found = await this.database.entities((manager) =>
      manager.getRepository<AttemptRow>('Attempt').find({ where: { task_id: bytes }, order: { attempt: 'DESC' }, take: ATTEMPTS_MAX }),
    );
    return found.reverse().map((row) => ({
      attempt: row.attempt,
      outcome: row.outcome,
      workerId: idText(Buffer.from(row.worker_id)),
      startedAt: row.started_at,
      finishedAt: row.finished_at,
      error: row.error_code === '' ? null : { code: row.error_code, message: row.error_message },
      result: row.result === null ? null : (JSON.parse(row.result) as unknown),
    }));
  }

  /** How the handler failed at last that the latest fallback of the task stands in for. */
  async primaryError(task: Buffer): Promise<TaskError | null> {
    const told = await this.database.query<{ detail: string }>(
      sql`SELECT detail FROM task_events WHERE task_id = ${task} AND kind = 'fell_back' ORDER BY at DESC LIMIT 10`,
    );
    // By the attempt and not by the time: attempts go on counting whatever the clock does.
    const attempt = Math.max(0, ...told.map(({ detail }) => (JSON.parse(detail) as { attempt?: number }).attempt ?? 0));
    const [found] = await this.database.query<{ error_code: string; error_message: string }>(
      sql`SELECT error_code, error_message FROM attempts WHERE task_id = ${task} AND attempt = ${attempt}`,
    );
    return found === undefined ? null : { code: found.error_code, message: found.error_message };
  }

  /** Newest first. `limit` 1 … 200; `cursor` is a `nextCursor` of the same filter. */
  async list(tenant: string, filter: TaskFilter, page: { limit: number; cursor: string | null }): Promise<TaskPage> {
    const selection = selectionOf(filter);
    const { above, below } = bounds(selection);
    const before = page.cursor === null ? below : idBytes(page.cursor);
    if (before === null) return { items: [], nextCursor: null };
    const most = isNarrowed(selection) ? EXAMINED_MAX : page.limit;
    const examined = candidates(this.database.dialect, tenant, selection, { above, below: before, order: 'newest first', most });
    const ids = examined === null ? [] : (await this.database.query<{ id: Buffer }>(examined)).map((row) => row.id);
    if (ids.length === 0) return { items: [], nextCursor: null };
    const { rows, cut } = await this.matching(tenant, selection, ids, page.limit);
    const last = cut || rows.length === page.limit ? rows.at(-1)?.id : ids.length === most ? ids.at(-1) : undefined;
    return { items: await this.views(rows), nextCursor: last === undefined ? null : idText(last) };
  }

  private async matching(
    tenant: string,
    selection: Selection,
    ids: readonly Buffer[],
    limit: number,
  ): Promise<{ rows: TaskRow[]; cut: boolean }> {
    const matching = join([sql`id IN (${list(ids)})`, ...conditions(tenant, selection)], ' AND ');
    const sized = await this.database.query<{ id: Buffer; bytes: number }>(
      sql`SELECT id, LENGTH(payload) + COALESCE((SELECT LENGTH(a.result) FROM attempts a WHERE a.task_id = tasks.id AND a.attempt = tasks.attempt), 0) AS bytes FROM tasks WHERE ${matching} ORDER BY id DESC LIMIT ${limit}`,
    );
    const fitting = withinBytes(sized);
    if (fitting.length === 0) return { rows: [], cut: false };
    const rows = await this.database.query<TaskRow>(
      sql`SELECT * FROM tasks WHERE id IN (${list(fitting)}) AND tenant = ${tenant} ORDER BY id DESC`,
    );
    return { rows, cut: fitting.length < sized.length };
  }

  private async views(found: readonly TaskRow[]): Promise<TaskView[]> {
    if (found.length === 0) return [];
    const ids = list(found.map((row) => row.id));
    const [attempts, progress, cancels] = await Promise.all([
      this.database.query<Extras['attempts'][number] & { task_id: Buffer }>(
        sql`SELECT a.task_id, a.attempt, a.outcome, a.error_code, a.error_message, a.result FROM tasks t JOIN attempts a ON a.task_id = t.id WHERE t.id IN (${ids}) AND (a.attempt = t.attempt OR a.attempt = (SELECT MAX(b.attempt) FROM attempts b WHERE b.task_id = t.id AND b.error_code <> ''))`,
      ),
      this.database.query<{ task_id: Buffer; fraction: number; message: string; updated_at: number }>(
        sql`SELECT task_id, fraction, message, updated_at FROM task_progress WHERE task_id IN (${ids})`,
      ),
      this.database.query<{ task_id: Buffer }>(sql`SELECT task_id FROM cancel_requests WHERE task_id IN (${ids})`),
    ]);
    return found.map((row) => {
      const mine = (other: { task_id: Buffer }): boolean => other.task_id.equals(row.id);
      const step = progress.find(mine);
      return viewOf(row, {
        attempts: attempts.filter(mine),
        progress:
          step === undefined
            ? null
            : { fraction: step.fraction, message: step.message === '' ? null : step.message, updatedAt: step.updated_at },
        cancelRequested: cancels.some(mine),
      });
    });
  }
}

/** As many as fit a page in bytes, at least one. */
function withinBytes(sized: readonly { id: Buffer; bytes: number }[]): Buffer[] {
  let total = 0;
  return sized
    .filter(({ bytes }, index) => {
      total += Number(bytes);
      return index === 0 || total <= PAGE_BYTES_MAX;
    })
    .map(({ id }) => id);
}

/** The latency of the newest finished heartbeat task, in ms, and when it finished; null where none has yet. */
export async function heartbeatLatency(database: Database): Promise<{ latencyMs: number; finishedAt: number } | null> {
  const [row] = await database.query<Row & { created_at: number; finished_at: number }>(
    sql`SELECT created_at, finished_at FROM tasks${database.dialect.by('ix_tasks_tenant')} WHERE tenant = 'system' AND ended = 'none' AND state = 'succeeded' ORDER BY id DESC LIMIT 1`,
  );
  return row === undefined ? null : { latencyMs: row.finished_at - row.created_at, finishedAt: row.finished_at };
}

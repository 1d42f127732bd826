/**
 * Resources whose task may have ended without releasing them. A look hands out those whose time has come and pushes back those whose
 * task goes on. Taking one is a compare-and-set on the time of its next look, made while the task's row is locked and final: from
 * then on the resource belongs to its hook, whatever an operator does to the task, and nobody else calls the hook before the time
 * taken is over. A runner that dies leaves a row that is due again by then. The row goes when the hook has succeeded, never before.
 */
import { type Database, idText, join, list, sql } from '@app/database';

const PAGE = 32;
/** Of one statement: SQLite takes 500 parts of a UNION. */
const HANDLERS_MAX = 200;
/** A resource that is older than this many first looks is looked at less often, by the same factor. */
const OLD_FACTOR = 6;
const ERROR_LENGTH_MAX = 2_000;

export interface Abandoned {
  id: Buffer;
  taskId: string;
  tenant: string;
  handler: string;
  kind: string;
  ref: string;
  /** How often its hook was called before. */
  tries: number;
  /** What makes a claim of it a compare-and-set. */
  seen: { task: Buffer; checkAt: number };
}

interface DueRow {
  id: Buffer;
  task_id: Buffer;
  tenant: string;
  handler: string;
  kind: string;
  ref: string;
  tries: number;
  check_at: number;
  created_at: number;
  /** null: the task is pruned. */
  finished_at: number | null;
  now: number;
}

export class AbandonedResources {
  constructor(
    private readonly database: Database,
    /** How often a resource is looked at while its task goes on, in ms. */
    private readonly lookEveryMs: number,
  ) {}

  /** Up to a page of those that belong to one of the handlers, are due, and whose task is over; longest due first. */
  async look(handlers: readonly string[]): Promise<{ found: Abandoned[]; full: boolean }> {
    const due: DueRow[] = [];
    for (let from = 0; from < handlers.length; from += HANDLERS_MAX)
      due.push(...(await this.dueOf(handlers.slice(from, from + HANDLERS_MAX))));
    const rows = due.sort((a, b) => a.check_at - b.check_at).slice(0, PAGE);
    const held = rows.filter((row) => row.tries === 0 && row.finished_at === 0);
    const isOld = (row: DueRow): boolean => Number(row.now) - row.created_at > this.lookEveryMs * OLD_FACTOR;
    await this.pushBack(held.filter(isOld), this.lookEveryMs * OLD_FACTOR);
    await this.pushBack(
      held.filter((row) => !isOld(row)),
      this.lookEveryMs,
    );
    return { found: rows.filter((row) => !held.includes(row)).map(abandonedOf), full: rows.length === PAGE };
  }

  /** Takes one for `forMs`; false where somebody else did, or the task goes on after all. */
  async take({ id, tries, seen }: Abandoned, forMs: number): Promise<boolean> {
    const { lock, now } = this.database.dialect;
    return this.database.transaction(async (transaction) => {
      if (tries === 0) {
        const [task] = await transaction.query<{ finished_at: number }>(sql`SELECT finished_at FROM tasks WHERE id = ${seen.task}${lock}`);
        if (task?.finished_at === 0) return false;
      }
      const taken = await transaction.execute(
        sql`UPDATE task_resources SET tries = tries + 1, check_at = ${now} + ${forMs} WHERE id = ${id} AND check_at = ${seen.checkAt} AND tries = ${tries}`,
      );
      return taken === 1;
    });
  }

  /** Its hook has succeeded. */
  async done(id: Buffer): Promise<void> {
    await this.database.execute(sql`DELETE FROM task_resources WHERE id = ${id}`);
  }

  /** Its hook has failed, or was kept from its end: again after the pause, unless somebody else has taken it meanwhile. */
  async again({ id, tries }: Abandoned, delayMs: number, error: string): Promise<void> {
    await this.database.execute(
      sql`UPDATE task_resources SET last_error = ${error.slice(0, ERROR_LENGTH_MAX)}, check_at = ${this.database.dialect.now} + ${delayMs} WHERE id = ${id} AND tries = ${tries + 1}`,
    );
  }

  /**
   * A range of the index for each handler, which ends after a page: of all handlers in one range the database would read and sort
   * whatever is due.
   */
  private async dueOf(handlers: readonly string[]): Promise<DueRow[]> {
    const { by, now } = this.database.dialect;
    const index = by('ix_task_resources_check');
    const pages = handlers.map(
      (handler) =>
        sql`SELECT id, check_at FROM (SELECT id, check_at FROM task_resources${index} WHERE handler = ${handler} AND check_at <= ${now} ORDER BY check_at LIMIT ${PAGE}) AS page`,
    );
    const first = sql`SELECT id FROM (${join(pages, ' UNION ALL ')}) AS pages ORDER BY check_at LIMIT ${PAGE}`;
    return this.database.query<DueRow>(
      sql`SELECT r.id, r.task_id, r.tenant, r.handler, r.kind, r.ref, r.tries, r.check_at, r.created_at, t.finished_at, ${now} AS now FROM (${first}) AS due CROSS JOIN task_resources r ON r.id = due.id LEFT JOIN tasks t ON t.id = r.task_id`,
    );
  }

  private async pushBack(rows: readonly DueRow[], byMs: number): Promise<void> {
    if (rows.length === 0) return;
    const { now } = this.database.dialect;
    await this.database.execute(
      sql`UPDATE task_resources SET check_at = ${now} + ${byMs} WHERE id IN (${list(rows.map(({ id }) => id))}) AND tries = 0 AND check_at <= ${now}`,
    );
  }
}

function abandonedOf(row: DueRow): Abandoned {
  return {
    id: row.id,
    taskId: idText(row.task_id),
    tenant: row.tenant,
    handler: row.handler,
    kind: row.kind,
    ref: row.ref,
    tries: row.tries,
    seen: { task: row.task_id, checkAt: row.check_at },
  };
}

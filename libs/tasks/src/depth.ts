/**
 * How deep queues are, counted over the phase index: each phase of each queue up to a bound, so that a backlog of millions does
 * not make this slow. Where many queues are asked for, the bound is lower, so that the rows read do not grow with them, and
 * small queues share a statement; no statement reads more than one queue's phase may have. Whoever asks, and however many ask
 * at once, few statements are under way: a list of queues must not take the connections that tasks need.
 */
import { join, list, sql, type Database, type Sql } from '@app/database';
import { laneNumber, LANES } from '@app/queue';
import type { QueueView } from './task.js';
import { Turnstile } from './turnstile.js';

/** The furthest a phase of a queue is counted, and the most rows that one statement reads. */
const COUNT_MAX = 100_000;
/** The least far, however many queues there are. */
const COUNT_MIN = 1_000;
/** How many rows of one phase are read for all queues of a call together, unless COUNT_MIN asks for more. */
const ROWS_MAX = 1_000_000;
const QUEUES_PER_STATEMENT = 50;
/** How many tasks of claims with notes may stand before those that wait, and count besides them. */
const NOTED_MAX = 5_000;
const PHASES = ['waiting', 'unrung', 'live', 'failed'] as const;
const NO_TASKS: QueueView['depth'] = { scheduled: 0, queued: 0, running: 0, retrying: 0, failed: 0 };

export type Depth = Pick<QueueView, 'depth' | 'countedUpTo' | 'oldestQueuedAgeMs'>;

interface CountRow {
  place: number;
  state: keyof QueueView['depth'];
  total: number;
  oldest: number;
  now: number;
}

export class QueueDepths {
  private readonly turnstile = new Turnstile('the depth of queues');

  constructor(private readonly database: Database) {}

  /** One for each name, in their order. Throws Unavailable where too many ask at once. */
  async of(tenant: string, names: readonly string[]): Promise<Depth[]> {
    const countedUpTo = Math.min(COUNT_MAX, Math.max(COUNT_MIN, Math.floor(ROWS_MAX / Math.max(1, names.length))));
    const depths = names.map((): Depth => ({ depth: { ...NO_TASKS }, countedUpTo, oldestQueuedAgeMs: null }));
    const statements = this.statements(tenant, names, countedUpTo);
    let next = 0;
    const work = async (): Promise<void> => {
      for (let statement = statements[next++]; statement !== undefined; statement = statements[next++]) {
        for (const row of await this.turnstile.pass(() => this.database.query<CountRow>(statement))) add(depths, row);
      }
    };
    await Promise.all(Array.from({ length: Turnstile.IN_FLIGHT_MAX }, work));
    return depths;
  }

  /** `place` is the number of the queue in `names`. */
  private statements(tenant: string, names: readonly string[], countedUpTo: number): Sql[] {
    const { by, now } = this.database.dialect;
    const lanes = sql`lane IN (${list(LANES.map(laneNumber))})`;
    const share = Math.min(QUEUES_PER_STATEMENT, Math.max(1, Math.floor(COUNT_MAX / countedUpTo)));
    const statements: Sql[] = [];
    for (let from = 0; from < names.length; from += share) {
      for (const phase of PHASES) {
        const parts = names
          .slice(from, from + share)
          .map(
            (name, index) =>
              sql`SELECT ${from + index} AS place, state, COUNT(*) AS total, MIN(run_at) AS oldest, ${now} AS now FROM (SELECT state, run_at FROM tasks${by('ix_tasks_phase')} WHERE phase = ${phase} AND queue = ${name} AND ${lanes} AND tenant = ${tenant} LIMIT ${phase === 'unrung' ? countedUpTo + Math.min(countedUpTo, NOTED_MAX) : countedUpTo}) AS counted GROUP BY state`,
          );
        statements.push(join(parts, ' UNION ALL '));
      }
    }
    return statements;
  }
}

function add(depths: readonly Depth[], row: CountRow): void {
  const depth = depths[Number(row.place)];
  if (depth === undefined) return;
  depth.depth[row.state] += Math.min(Number(row.total), depth.countedUpTo);
  if (row.state === 'queued') depth.oldestQueuedAgeMs = Math.max(depth.oldestQueuedAgeMs ?? 0, Number(row.now) - Number(row.oldest));
}

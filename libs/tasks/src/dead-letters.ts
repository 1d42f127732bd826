/**
 * What has failed, counted by reason, name and queue, for whoever has to decide what to do about it. It looks at the newest dead
 * letters up to a bound and says so, because a summary is wanted most when there are a million of them. Then many want it at once,
 * so few are counted for at a time.
 */
import { sql, type Database } from '@app/database';
import type { FailureReason } from './states.js';
import { Turnstile } from './turnstile.js';

/** How many dead letters are looked at; each is one row read. */
const COUNT_MAX = 10_000;
/** How many groups are told of, the largest first. */
const GROUPS_MAX = 500;

export interface DeadLetterGroup {
  reason: FailureReason;
  name: string;
  queue: string;
  count: number;
  /** ms since the epoch. */
  oldestFinishedAt: number;
  newestFinishedAt: number;
}

export interface DeadLetterSummary {
  /** How many were looked at; where it has reached `countedUpTo`, there may be more. */
  total: number;
  countedUpTo: number;
  /** The largest 500. */
  groups: DeadLetterGroup[];
}

interface GroupRow {
  reason: FailureReason;
  name: string;
  queue: string;
  total: number;
  oldest: number;
  newest: number;
  everything: number;
}

export class DeadLetters {
  private readonly turnstile = new Turnstile('the summary of dead letters');

  constructor(private readonly database: Database) {}

  /** Of the tenant's newest 10,000 dead letters. Discarded ones are not among them. Throws Unavailable where too many ask at once. */
  async summary(tenant: string): Promise<DeadLetterSummary> {
    const statement = sql`SELECT reason, name, queue, COUNT(*) AS total, MIN(finished_at) AS oldest, MAX(finished_at) AS newest, SUM(COUNT(*)) OVER () AS everything FROM (SELECT reason, name, queue, finished_at FROM tasks${this.database.dialect.by('ix_tasks_tenant')} WHERE tenant = ${tenant} AND ended = 'failed' ORDER BY id DESC LIMIT ${COUNT_MAX}) AS looked GROUP BY reason, name, queue ORDER BY total DESC, newest DESC LIMIT ${GROUPS_MAX}`;
    const found = await this.turnstile.pass(() => this.database.query<GroupRow>(statement));
    const groups = found.map((row): DeadLetterGroup => ({
      reason: row.reason,
      name: row.name,
      queue: row.queue,
      count: Number(row.total),
      oldestFinishedAt: Number(row.oldest),
      newestFinishedAt: Number(row.newest),
    }));
    return { total: Number(found[0]?.everything ?? 0), countedUpTo: COUNT_MAX, groups };
  }
}

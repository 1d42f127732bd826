/**
 * The append-only log of what people did: who, what, to which target, and why. An entry is written in the transaction of the
 * change it tells of; it outlives its target. Nothing here updates or deletes but the retention.
 */
import { type Database, type Dialect, ID_MAX, idBytes, idText, join, list, sql, type Sql } from '@app/database';
import type { AuditRow } from './entities.js';

/** How many entries one page looks at where a filter leaves most of them out. */
const EXAMINED_MAX = 5_000;

export interface AuditEntry {
  tenant: string;
  /** The `sub` claim. */
  actor: string;
  /** Noun and verb, such as `task.retry`; at most 64 characters. */
  action: string;
  /** What it was done to: an id or a name, at most 128 characters. */
  target: string;
  /** Why, in the actor's own words, at most 500 characters; empty where nobody said. */
  reason: string;
  detail?: Readonly<Record<string, unknown>>;
}

/** `id` is a UUIDv7, so that entries sort by time. */
export function recordAudit(dialect: Dialect, id: Buffer, { tenant, actor, action, target, reason, detail = {} }: AuditEntry): Sql {
  return sql`INSERT INTO audit_entries (id, tenant, at, actor, action, target, reason, detail) VALUES (${id}, ${tenant}, ${dialect.now}, ${actor}, ${action}, ${target}, ${reason}, ${JSON.stringify(detail)})`;
}

export interface AuditView {
  id: string;
  /** ms since the epoch. */
  at: number;
  actor: string;
  action: string;
  target: string;
  reason: string;
  detail: Readonly<Record<string, unknown>>;
}

export interface AuditFilter {
  action?: string;
  actor?: string;
}

export class AuditLog {
  constructor(private readonly database: Database) {}

  /** Newest first. `limit` 1 … 200; `cursor` is a `nextCursor` of the same filter. A page may be short and still have one. */
  async list(
    tenant: string,
    { action, actor }: AuditFilter,
    page: { limit: number; cursor: string | null },
  ): Promise<{ items: AuditView[]; nextCursor: string | null }> {
    const before = page.cursor === null ? ID_MAX : idBytes(page.cursor);
    const most = action === undefined && actor === undefined ? page.limit : EXAMINED_MAX;
    const looked = await this.database.query<{ id: Buffer }>(
      sql`SELECT id FROM audit_entries${this.database.dialect.by('ix_audit_entries_tenant')} WHERE tenant = ${tenant} AND id < ${before} ORDER BY id DESC LIMIT ${most}`,
    );
    if (looked.length === 0) return { items: [], nextCursor: null };
    const conditions = [sql`id IN (${list(looked.map(({ id }) => id))})`];
    if (action !== undefined) conditions.push(sql`action = ${action}`);
    if (actor !== undefined) conditions.push(sql`actor = ${actor}`);
    const found = await this.database.query<AuditRow>(
      sql`SELECT id, at, actor, action, target, reason, detail FROM audit_entries WHERE ${join(conditions, ' AND ')} ORDER BY id DESC LIMIT ${page.limit}`,
    );
    const last = found.length === page.limit ? found.at(-1)?.id : looked.length === most ? looked.at(-1)?.id : undefined;
    return { items: found.map(viewOf), nextCursor: last === undefined ? null : idText(last) };
  }
}

function viewOf({ id, detail, at, actor, action, target, reason }: AuditRow): AuditView {
  return { id: idText(id), at, actor, action, target, reason, detail: JSON.parse(detail) as AuditView['detail'] };
}

/**
 * The append-only log of what people did: who, what, to which target, and why. An entry is written in the transaction of the
 * change it tells of; it outlives its target. Nothing here updates or deletes but the retention.
 */
import { sql, type Dialect, type Sql } from '@app/database';

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

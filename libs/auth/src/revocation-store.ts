/**
 * The revocations as they are stored: made, shown and taken back by the administrators of a tenant, read by every process that
 * accepts tokens, and pruned once they concern nothing any more. The entry of the audit log is written in the transaction of the
 * change. All times are the database's.
 */
import { recordAudit } from '@app/audit';
import { type Database, ID_MAX, idBytes, idText, list, NOBODY, type RowIds, sql } from '@app/database';
import { NotFound } from '@app/errors';
import { TooManyRevocations } from './auth-errors.js';
import type { RevocationRow } from './entities.js';
import type { ListedRevocation, RevocationKind } from './revocation-list.js';

const PAGE = 1_000;
const COLUMNS = sql`id, kind, value, not_before, revoked_at, expires_at, revoked_by, reason, lifted_at`;

export interface NewRevocation {
  readonly tenant: string;
  readonly kind: RevocationKind;
  /** The `jti` or the `sub`, 1 to 128 characters; empty for a whole tenant. */
  readonly value: string;
  /** Tokens issued before this are refused, in ms since the epoch; null for now. A token id is refused whenever it was issued. */
  readonly before: number | null;
  /** The `sub` claim of whoever does it. */
  readonly actor: string;
  /** Why, 1 to 500 characters. */
  readonly reason: string;
}

export interface RevocationView {
  readonly id: string;
  readonly kind: RevocationKind;
  readonly value: string;
  /** In ms since the epoch; null for a token id. */
  readonly before: number | null;
  readonly revokedAt: number;
  readonly expiresAt: number;
  readonly revokedBy: string;
  readonly reason: string;
  /** When it was taken back; null while it is in force. */
  readonly liftedAt: number | null;
}

export interface RevocationLimits {
  /** How long after a revocation the last token that it could concern is dead, in ms. */
  readonly keptMs: number;
  /** How many one tenant may have that are not pruned yet. */
  readonly max: number;
}

export class RevocationStore {
  constructor(
    private readonly database: Database,
    private readonly ids: RowIds,
    private readonly limits: RevocationLimits,
  ) {}

  /** Throws TooManyRevocations, and CommitUnknown where it may have been made: making it twice does no harm. */
  async add({ tenant, kind, value, before, actor, reason }: NewRevocation): Promise<RevocationView> {
    const id = this.ids.next();
    const { dialect } = this.database;
    const notBefore = kind === 'id' ? sql`0` : before === null ? dialect.now : sql`${before}`;
    await this.database.transaction(async (transaction) => {
      const [kept] = await transaction.query<{ total: number }>(
        sql`SELECT COUNT(*) AS total FROM token_revocations${dialect.by('ix_token_revocations_tenant')} WHERE tenant = ${tenant}`,
      );
      if (Number(kept?.total) >= this.limits.max) throw new TooManyRevocations(this.limits.max);
      await transaction.commitWith([
        sql`INSERT INTO token_revocations (id, tenant, kind, value, not_before, revoked_at, expires_at, revoked_by, reason, changed_at) VALUES (${id}, ${tenant}, ${kind}, ${value}, ${notBefore}, ${dialect.now}, ${dialect.now} + ${this.limits.keptMs}, ${actor}, ${reason}, ${dialect.now})`,
        recordAudit(dialect, this.ids.next(), {
          ...{ tenant, actor, action: 'token.revoke', target: value === '' ? '*' : value, reason },
          detail: { revocation: idText(id), kind, before },
        }),
      ]);
    });
    return this.get(tenant, idText(id));
  }

  /** Throws NotFound, also for another tenant's. */
  async get(tenant: string, id: string): Promise<RevocationView> {
    const [row] = await this.database.query<RevocationRow>(
      sql`SELECT ${COLUMNS} FROM token_revocations WHERE id = ${idBytes(id)} AND tenant = ${tenant}`,
    );
    if (row === undefined) throw new NotFound('revocation');
    return viewOf(row);
  }

  /** Newest first. `limit` 1 … 200; `cursor` is a `nextCursor`. */
  async list(
    tenant: string,
    page: { limit: number; cursor: string | null },
  ): Promise<{ items: RevocationView[]; nextCursor: string | null }> {
    const before = page.cursor === null ? ID_MAX : idBytes(page.cursor);
    const found = await this.database.query<RevocationRow>(
      sql`SELECT ${COLUMNS} FROM token_revocations${this.database.dialect.by('ix_token_revocations_tenant')} WHERE tenant = ${tenant} AND id < ${before} ORDER BY id DESC LIMIT ${page.limit}`,
    );
    const last = found.length === page.limit ? found.at(-1)?.id : undefined;
    return { items: found.map(viewOf), nextCursor: last === undefined ? null : idText(last) };
  }

  /** Takes it back; one that was taken back before is left as it is. Throws NotFound, also for another tenant's. */
  async lift(tenant: string, id: string, actor: string): Promise<void> {
    const bytes = idBytes(id);
    const { dialect } = this.database;
    await this.database.transaction(async (transaction) => {
      const [row] = await transaction.query<Pick<RevocationRow, 'kind' | 'value' | 'lifted_at'>>(
        sql`SELECT kind, value, lifted_at FROM token_revocations WHERE id = ${bytes} AND tenant = ${tenant}${dialect.lock}`,
      );
      if (row === undefined) throw new NotFound('revocation');
      if (row.lifted_at > 0) return;
      const detail = { kind: row.kind, value: row.value };
      await transaction.commitWith([
        sql`UPDATE token_revocations SET lifted_at = ${dialect.now}, changed_at = ${dialect.now} WHERE id = ${bytes} AND lifted_at = 0`,
        recordAudit(dialect, this.ids.next(), { tenant, actor, action: 'token.restore', target: id, reason: '', detail }),
      ]);
    });
  }

  /** The database's clock, in ms since the epoch. */
  async now(): Promise<number> {
    const [row] = await this.database.query<{ now: number }>(sql`SELECT ${this.database.dialect.now} AS now`);
    return Number(row?.now);
  }

  /** Every change of all tenants since a moment, in ms since the epoch, oldest first and a page at a time. */
  async *changesSince(moment: number): AsyncGenerator<ListedRevocation[]> {
    let from = { at: moment, id: NOBODY };
    for (;;) {
      const found = await this.database.query<RevocationRow>(
        sql`SELECT id, tenant, kind, value, not_before, expires_at, lifted_at, changed_at FROM token_revocations${this.database.dialect.by('ix_token_revocations_changed')} WHERE changed_at >= ${from.at} AND (changed_at > ${from.at} OR id > ${from.id}) ORDER BY changed_at, id LIMIT ${PAGE}`,
      );
      const last = found.at(-1);
      if (last === undefined) return;
      yield found.map(listed);
      if (found.length < PAGE) return;
      from = { at: last.changed_at, id: last.id };
    }
  }
}

/** Deletes a page of those that concern no token any more. Any number of schedulers may do it at once. */
export async function pruneRevocations(database: Database): Promise<{ deleted: number; again: boolean }> {
  const found = await database.query<{ id: Buffer }>(
    sql`SELECT id FROM token_revocations WHERE expires_at < ${database.dialect.now} ORDER BY expires_at LIMIT ${PAGE}`,
  );
  const ids = found.map(({ id }) => id).sort(Buffer.compare);
  if (ids.length > 0) await database.execute(sql`DELETE FROM token_revocations WHERE id IN (${list(ids)})`);
  return { deleted: ids.length, again: ids.length === PAGE };
}

function listed(row: RevocationRow): ListedRevocation {
  const { tenant, kind, value, not_before: notBefore, expires_at: expiresAt } = row;
  return { id: idText(row.id), tenant, kind, value, notBefore, expiresAt, lifted: row.lifted_at > 0 };
}

function viewOf(row: RevocationRow): RevocationView {
  return {
    id: idText(row.id),
    kind: row.kind,
    value: row.value,
    before: row.kind === 'id' ? null : row.not_before,
    revokedAt: row.revoked_at,
    expiresAt: row.expires_at,
    revokedBy: row.revoked_by,
    reason: row.reason,
    liftedAt: row.lifted_at === 0 ? null : row.lifted_at,
  };
}

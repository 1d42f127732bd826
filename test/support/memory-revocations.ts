/** Revocations kept in memory, in the place of the table: what the front shows and obeys. Its time is the test's. */
import { randomUUID } from 'node:crypto';
import type { ListedRevocation, NewRevocation, RevocationView } from '@app/auth';
import { NotFound } from '@app/errors';
import type { Clock } from '@app/lifecycle';

const KEPT_MS = 86_400_000;

export class MemoryRevocations {
  private readonly rows = new Map<string, RevocationView & { readonly tenant: string }>();
  /** What every call rejects with. */
  failure: Error | null = null;

  constructor(private readonly clock: Clock) {}

  async add({ tenant, kind, value, before, actor, reason }: NewRevocation): Promise<RevocationView> {
    const now = this.clock.now();
    const view = {
      ...{ id: randomUUID(), tenant, kind, value, before: kind === 'id' ? null : (before ?? now) },
      ...{ revokedAt: now, expiresAt: now + KEPT_MS, revokedBy: actor, reason, liftedAt: null },
    };
    this.rows.set(view.id, view);
    return view;
  }

  async list(tenant: string, { limit, cursor }: { limit: number; cursor: string | null }) {
    const all = [...this.rows.values()].filter((row) => row.tenant === tenant).reverse();
    const start = cursor === null ? 0 : all.findIndex(({ id }) => id === cursor) + 1;
    const items = all.slice(start, start + limit);
    return { items, nextCursor: start + limit < all.length ? (items.at(-1)?.id ?? null) : null };
  }

  async lift(tenant: string, id: string): Promise<void> {
    const row = this.rows.get(id);
    if (row?.tenant !== tenant) throw new NotFound('revocation');
    this.rows.set(id, { ...row, liftedAt: this.clock.now() });
  }

  async now(): Promise<number> {
    if (this.failure !== null) throw this.failure;
    return this.clock.now();
  }

  async *changesSince(): AsyncGenerator<ListedRevocation[]> {
    yield [...this.rows.values()].map((row) => ({ ...row, notBefore: row.before ?? 0, lifted: row.liftedAt !== null }));
  }
}

/** The API keys of a front without a database: the real text, hashes and verification over rows in memory. */
import { randomBytes, randomUUID } from 'node:crypto';
import type { KeyPepper } from '@app/auth';
import {
  ApiKeys,
  KeyMaker,
  KeyRevoker,
  KeyRotator,
  KeyRows,
  KeyUses,
  writeKey,
  type KeyActor,
  type KeyView,
  type NewKey,
  type SecretKey,
} from '@app/auth';
import { idBytes } from '@app/database';
import { NotFound } from '@app/errors';
import type { Clock } from '@app/lifecycle';

interface Kept {
  readonly tenant: string;
  readonly view: KeyView;
  readonly hash: Buffer;
}

export class MemoryKeys {
  private readonly kept = new Map<string, Kept>();
  /** What was asked for, in order, with the words of the actor. */
  readonly calls: Record<string, unknown>[] = [];
  readonly used: string[] = [];
  /** Set once the front stands. */
  pepper: KeyPepper | null = null;

  constructor(private readonly clock: Clock) {}

  async make({ principal, address, reason }: KeyActor, wanted: NewKey): Promise<SecretKey> {
    this.calls.push({ action: 'make', reason, address, ...wanted });
    const createdAt = this.clock.now();
    const id = randomUUID();
    const view: KeyView = {
      ...{ id, prefix: 'trx_0000000000000000000000', name: wanted.name, scopes: wanted.scopes, state: 'active' },
      ...{ createdBy: principal.subject, madeBy: null, createdAt, expiresAt: wanted.expiresAt ?? createdAt + (wanted.ttlMs ?? 60_000) },
      ...{ rotatedAt: null, previousSecretUntil: null, revokedAt: null, lastUsedAt: null },
    };
    return this.keep(principal.tenant, view);
  }

  async get(tenant: string, id: string): Promise<KeyView> {
    return this.known(tenant, id).view;
  }

  async list(tenant: string, { limit, cursor }: { limit: number; cursor: string | null }) {
    const all = [...this.kept.values()].filter((kept) => kept.tenant === tenant).map(({ view }) => view);
    const items = all.slice(cursor === null ? 0 : all.findIndex(({ id }) => id === cursor) + 1).slice(0, limit);
    return { items, nextCursor: items.length === limit ? (items.at(-1)?.id ?? null) : null };
  }

  async rotate({ principal, reason }: KeyActor, id: string, overlapMs: number): Promise<SecretKey> {
    const { view } = this.known(principal.tenant, id);
    this.calls.push({ action: 'rotate', reason, overlapMs });
    return this.keep(principal.tenant, { ...view, rotatedAt: this.clock.now() });
  }

  async revoke({ principal, reason }: KeyActor, id: string): Promise<KeyView> {
    const kept = this.known(principal.tenant, id);
    this.calls.push({ action: 'revoke', reason });
    const view: KeyView = { ...kept.view, state: 'revoked', revokedAt: this.clock.now() };
    this.kept.set(id, { ...kept, view });
    return view;
  }

  remembers(): boolean {
    return false;
  }

  /** The rows of the verification. */
  async find(id: Buffer) {
    const kept = [...this.kept.values()].find(({ view }) => idBytes(view.id)?.equals(id));
    const row = kept && {
      ...{ id, tenant: kept.tenant, scopes: kept.view.scopes.join(' '), secret_hash: kept.hash, previous_hash: Buffer.alloc(32) },
      ...{ previous_until: 0, expires_at: kept.view.expiresAt, revoked_at: kept.view.revokedAt ?? 0 },
    };
    return { row: row ?? null, now: this.clock.now() };
  }

  note(id: Buffer): void {
    this.used.push(id.toString('hex'));
  }

  /** For the module of the front: everything that the api asks about keys. */
  providers() {
    return [ApiKeys, KeyMaker, KeyRevoker, KeyRotator, KeyRows, KeyUses].map((provide) => ({ provide, useValue: this }));
  }

  private known(tenant: string, id: string): Kept {
    const kept = this.kept.get(id);
    if (kept === undefined || kept.tenant !== tenant) throw new NotFound('key');
    return kept;
  }

  private keep(tenant: string, view: KeyView): SecretKey {
    const { text, proof } = writeKey(idBytes(view.id) ?? Buffer.alloc(16), randomBytes(32));
    if (this.pepper === null) throw new Error('the front does not stand yet');
    this.kept.set(view.id, { tenant, view, hash: this.pepper.hash(proof) });
    return { key: view, text };
  }
}

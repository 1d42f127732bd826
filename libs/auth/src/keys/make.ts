/**
 * Makes keys. A key speaks for the tenant of its maker, may do nothing that its maker may not, and, where its maker is a key, ends
 * with it at the latest. Only the answer to this call holds the secret; what is stored cannot be turned back into it.
 *
 * A tenant has a bounded number of active keys, and as many rows of ended ones: the oldest of those are forgotten when another is
 * made, so the table is bounded too. The audit log still tells of them.
 */
import { randomBytes } from 'node:crypto';
import { recordAudit } from '@app/audit';
import { type Database, idText, list, NOBODY, type RowIds, sql, type Sql } from '@app/database';
import { InvalidRequest } from '@app/errors';
import type { Scope } from '../scopes.js';
import { type ApiKeys, type KeyView, stateOf } from './api-keys.js';
import { TooManyKeys } from './key-errors.js';
import type { KeyPepper } from './key-pepper.js';
import { writeKey } from './key-text.js';
import { assertWithinRights, type KeyActor, shownKey, takeTurn, type Turn } from './key-turn.js';

const SECRET_BYTES = 32;
/** The hash of no secret: there is none before the first. */
const NO_HASH = Buffer.alloc(32);
const LIFETIME_DEFAULT_MS = 90 * 86_400_000;

/** What is wanted, validated by the caller but for its bounds in time. */
export interface NewKey {
  /** 1 to 128 characters. */
  readonly name: string;
  /** At least one. */
  readonly scopes: readonly Scope[];
  /** In ms since the epoch, or from now; both null: 90 days, or as long as may be. */
  readonly expiresAt: number | null;
  readonly ttlMs: number | null;
}

export interface KeyLimits {
  /** How many of a tenant may be active. */
  readonly activeMax: number;
  /** Longest life, in ms. */
  readonly lifetimeMaxMs: number;
}

export interface SecretKey {
  readonly key: KeyView;
  /** The whole key: shown once, and then known to its holder only. */
  readonly text: string;
}

export class KeyMaker {
  constructor(
    private readonly database: Database,
    private readonly ids: RowIds,
    private readonly pepper: KeyPepper,
    private readonly keys: ApiKeys,
    private readonly limits: KeyLimits,
    private readonly random: (bytes: number) => Buffer = randomBytes,
  ) {}

  /** @throws KeysSwitchedOff, ScopeEscalation, TooManyKeys, InvalidRequest where it would live too long or not at all, InvalidKey */
  async make(actor: KeyActor, wanted: NewKey): Promise<SecretKey> {
    assertWithinRights(actor.principal, wanted.scopes);
    const { tenant, subject, credential } = actor.principal;
    const id = this.ids.next();
    const { text, proof } = writeKey(id, this.random(SECRET_BYTES));
    const hash = this.pepper.hash(proof);
    const { dialect } = this.database;
    await this.database.transaction(async (transaction) => {
      const turn = await takeTurn(transaction, dialect, actor.principal);
      const maker = shownKey(turn, actor.principal);
      const expiresAt = this.endOf(wanted, turn.now, maker?.expires_at ?? Number.POSITIVE_INFINITY);
      if (turn.keys.filter((key) => stateOf(key, turn.now) === 'active').length >= this.limits.activeMax) {
        throw new TooManyKeys(this.limits.activeMax);
      }
      const scopes = wanted.scopes.join(' ');
      const detail = { name: wanted.name, scopes, expiresAt, credential, address: actor.address };
      await transaction.commitWith([
        ...this.forgotten(turn),
        sql`INSERT INTO api_keys (id, tenant, name, scopes, secret_hash, previous_hash, made_by, created_by, created_at, expires_at) VALUES (${id}, ${tenant}, ${wanted.name}, ${scopes}, ${hash}, ${NO_HASH}, ${maker?.id ?? NOBODY}, ${subject}, ${turn.now}, ${expiresAt})`,
        recordAudit(dialect, this.ids.next(), {
          tenant,
          actor: subject,
          action: 'key.make',
          target: idText(id),
          reason: actor.reason,
          detail,
        }),
      ]);
    });
    return { key: await this.keys.get(tenant, idText(id)), text };
  }

  private endOf({ expiresAt, ttlMs }: NewKey, now: number, makersEnd: number): number {
    const latest = Math.min(now + this.limits.lifetimeMaxMs, makersEnd);
    const end = expiresAt ?? (ttlMs === null ? Math.min(now + LIFETIME_DEFAULT_MS, latest) : now + ttlMs);
    if (end <= now || end > latest) {
      const pointer = expiresAt === null ? '/ttlMs' : '/expiresAt';
      const message = `must end after now and by ${new Date(latest).toISOString()}`;
      throw new InvalidRequest('validation-failed', 'The life of the key is out of bounds; "errors" says where and which.', [
        { pointer, code: 'out-of-range', message },
      ]);
    }
    return end;
  }

  private forgotten({ keys, now }: Turn): Sql[] {
    const ended = keys.filter((key) => stateOf(key, now) !== 'active');
    const oldest = ended.slice(0, Math.max(0, ended.length - this.limits.activeMax));
    return oldest.length === 0 ? [] : [sql`DELETE FROM api_keys WHERE id IN (${list(oldest.map(({ id }) => id))})`];
  }
}

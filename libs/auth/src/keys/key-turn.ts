/**
 * The turn of a tenant: whoever changes its keys holds one row until the end of the transaction, so that two who make, rotate or
 * revoke at the same moment come one after the other, and each sees what the other did. That is what makes the bound on their
 * number exact, and a key that is being revoked unable to make another meanwhile.
 */
import { type Dialect, idText, sql, type Transaction } from '@app/database';
import type { Principal } from '../principal.js';
import type { Scope } from '../scopes.js';
import { stateOf } from './api-keys.js';
import type { KeyRow } from './key-entities.js';
import { InvalidKey, ScopeEscalation } from './key-errors.js';
import { keyIdOf } from './key-verification.js';

/** Who changes a key, from where, and why; for the audit log. */
export interface KeyActor {
  readonly principal: Principal;
  /** Of the caller; null where it is not known. */
  readonly address: string | null;
  /** At most 500 characters; empty where nobody said. */
  readonly reason: string;
}

export type HeldKey = Pick<KeyRow, 'id' | 'name' | 'scopes' | 'secret_hash' | 'made_by' | 'expires_at' | 'revoked_at'>;

export interface Turn {
  /** Every key of the tenant, the oldest first; their number is bounded by whoever makes them. */
  readonly keys: readonly HeldKey[];
  /** The database's time, in ms since the epoch. */
  readonly now: number;
}

/** @throws InvalidKey where the caller has shown a key that has ended meanwhile */
export async function takeTurn(transaction: Transaction, dialect: Dialect, principal: Principal): Promise<Turn> {
  const { tenant } = principal;
  await transaction.execute(
    sql`INSERT INTO api_key_turns (tenant, taken_at) VALUES (${tenant}, ${dialect.now})${dialect.overwrite(['tenant'], ['taken_at'])}`,
  );
  const keys = await transaction.query<HeldKey>(
    sql`SELECT id, name, scopes, secret_hash, made_by, expires_at, revoked_at FROM api_keys${dialect.by('ix_api_keys_tenant')} WHERE tenant = ${tenant} ORDER BY id`,
  );
  const [time] = await transaction.query<{ now: number }>(sql`SELECT ${dialect.now} AS now`);
  const turn = { keys, now: Number(time?.now) };
  const shown = keyIdOf(principal);
  const own = shownKey(turn, principal);
  if (shown !== null && (own === null || stateOf(own, turn.now) !== 'active')) {
    throw new InvalidKey('it has ended while it was used', shown);
  }
  return turn;
}

/** The key that the caller has shown; null for a token. */
export function shownKey({ keys }: Turn, principal: Principal): HeldKey | null {
  const id = keyIdOf(principal);
  return keys.find((key) => idText(key.id) === id) ?? null;
}

/** The key itself and all that it made, and they made, and so on. */
export function familyOf({ keys }: Turn, head: HeldKey): readonly HeldKey[] {
  const family = new Set([head]);
  // Whoever joins while this goes round is asked for its own as well.
  for (const member of family) {
    for (const key of keys) if (key.made_by.equals(member.id)) family.add(key);
  }
  return [...family];
}

/** @throws ScopeEscalation unless the caller has every one of the scopes */
export function assertWithinRights({ scopes }: Principal, wanted: readonly Scope[]): void {
  const beyond = wanted.filter((scope) => !scopes.has(scope));
  if (beyond.length > 0) {
    throw new ScopeEscalation(
      `You do not have ${beyond.map((scope) => `"${scope}"`).join(', ')} yourself, so no key of yours may.`,
      beyond,
    );
  }
}

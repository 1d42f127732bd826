/** A key as it is shown: everything but its secret and its hashes. */
import { type Database, ID_MAX, idBytes, idText, NOBODY, sql } from '@app/database';
import { NotFound } from '@app/errors';
import { scopesGrantedBy, type Scope } from '../scopes.js';
import type { KeyRow } from './key-entities.js';
import { keyPrefix } from './key-text.js';

/** What a row is shown from, and the database's time. */
export type ShownKey = Omit<KeyRow, 'tenant' | 'secret_hash' | 'previous_hash'> & { readonly now: number };

export type KeyState = 'active' | 'expired' | 'revoked';

/** Times in ms since the epoch. */
export interface KeyView {
  id: string;
  /** How the text of the key begins: to find the row of a key somewhere without showing the key. */
  prefix: string;
  name: string;
  scopes: readonly Scope[];
  state: KeyState;
  createdBy: string;
  /** The id of the key that made it; null where a token did. */
  madeBy: string | null;
  createdAt: number;
  expiresAt: number;
  rotatedAt: number | null;
  /** Until when the secret before the last rotation is good as well; null where it is not. */
  previousSecretUntil: number | null;
  revokedAt: number | null;
  /** To about a minute. */
  lastUsedAt: number | null;
}

const COLUMNS = sql`id, name, scopes, previous_until, made_by, created_by, created_at, expires_at, rotated_at, revoked_at, last_used_at`;

export class ApiKeys {
  constructor(private readonly database: Database) {}

  /** @throws NotFound */
  async get(tenant: string, id: string): Promise<KeyView> {
    const { byPrimary, now } = this.database.dialect;
    const [row] = await this.database.query<ShownKey>(
      sql`SELECT ${COLUMNS}, ${now} AS now FROM api_keys${byPrimary} WHERE id = ${idBytes(id)} AND tenant = ${tenant}`,
    );
    if (row === undefined) throw new NotFound('key');
    return showKey(row);
  }

  /** Newest first. `limit` 1 … 200; `cursor` is a `nextCursor`. */
  async list(tenant: string, page: { limit: number; cursor: string | null }): Promise<{ items: KeyView[]; nextCursor: string | null }> {
    const { by, now } = this.database.dialect;
    const before = page.cursor === null ? ID_MAX : idBytes(page.cursor);
    const found = await this.database.query<ShownKey>(
      sql`SELECT ${COLUMNS}, ${now} AS now FROM api_keys${by('ix_api_keys_tenant')} WHERE tenant = ${tenant} AND id < ${before} ORDER BY id DESC LIMIT ${page.limit}`,
    );
    const last = found.length === page.limit ? found.at(-1)?.id : undefined;
    return { items: found.map(showKey), nextCursor: last === undefined ? null : idText(last) };
  }
}

export function stateOf(row: Pick<KeyRow, 'revoked_at' | 'expires_at'>, now: number): KeyState {
  if (row.revoked_at > 0) return 'revoked';
  return row.expires_at <= now ? 'expired' : 'active';
}

function showKey(row: ShownKey): KeyView {
  const state = stateOf(row, row.now);
  return {
    id: idText(row.id),
    prefix: keyPrefix(row.id),
    name: row.name,
    scopes: row.scopes.split(' ').flatMap(scopesGrantedBy),
    state,
    createdBy: row.created_by,
    madeBy: row.made_by.equals(NOBODY) ? null : idText(row.made_by),
    createdAt: row.created_at,
    expiresAt: row.expires_at,
    rotatedAt: row.rotated_at === 0 ? null : row.rotated_at,
    previousSecretUntil: state === 'active' && row.previous_until > row.now ? row.previous_until : null,
    revokedAt: row.revoked_at === 0 ? null : row.revoked_at,
    lastUsedAt: row.last_used_at === 0 ? null : row.last_used_at,
  };
}

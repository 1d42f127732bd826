/** The tables of the API keys as TypeORM entities; a test compares them with the migrations. */
import { EntitySchema } from 'typeorm';
import { columnTypes, type EntityFactory } from '@app/database';

/** A key: never its secret, only hashes. Times in ms since the epoch, 0 for "not yet". */
export interface KeyRow {
  id: Buffer;
  tenant: string;
  name: string;
  /** Separated by spaces. */
  scopes: string;
  secret_hash: Buffer;
  /** The hash of the secret before the last rotation, good until `previous_until`. */
  previous_hash: Buffer;
  previous_until: number;
  /** The key that made it, or nobody where a token did. */
  made_by: Buffer;
  created_by: string;
  created_at: number;
  expires_at: number;
  rotated_at: number;
  revoked_at: number;
  last_used_at: number;
}

interface KeyTurnRow {
  tenant: string;
  taken_at: number;
}

const apiKeys: EntityFactory = (engine) => {
  const t = columnTypes(engine);
  const never = { default: 0 };
  return new EntitySchema<KeyRow>({
    name: 'ApiKey',
    tableName: 'api_keys',
    columns: {
      id: t.id({ primary: true }),
      tenant: t.word(64),
      name: t.word(128),
      scopes: t.word(1000),
      secret_hash: t.hash(),
      previous_hash: t.hash(),
      previous_until: t.time(never),
      made_by: t.id(),
      created_by: t.word(255),
      created_at: t.time(),
      expires_at: t.time(),
      rotated_at: t.time(never),
      revoked_at: t.time(never),
      last_used_at: t.time(never),
    },
    indices: [{ name: 'ix_api_keys_tenant', columns: ['tenant', 'id'] }],
    checks: [{ name: 'ck_api_keys_life', expression: 'expires_at > created_at AND previous_until <= expires_at' }],
  });
};

const apiKeyTurns: EntityFactory = (engine) => {
  const t = columnTypes(engine);
  return new EntitySchema<KeyTurnRow>({
    name: 'ApiKeyTurn',
    tableName: 'api_key_turns',
    columns: { tenant: t.word(64, { primary: true }), taken_at: t.time() },
  });
};

/** What is stored of API keys. */
export const KEY_ENTITIES: readonly EntityFactory[] = [apiKeys, apiKeyTurns];

/** The table of this lib as a TypeORM entity; a test compares it with the migrations. */
import { EntitySchema } from 'typeorm';
import { columnTypes, type EntityFactory } from '@app/database';
import { REVOCATION_KINDS, type RevocationKind } from './revocation-list.js';

export interface RevocationRow {
  id: Buffer;
  tenant: string;
  kind: RevocationKind;
  value: string;
  not_before: number;
  revoked_at: number;
  expires_at: number;
  revoked_by: string;
  reason: string;
  lifted_at: number;
  changed_at: number;
}

const tokenRevocations: EntityFactory = (engine) => {
  const t = columnTypes(engine);
  return new EntitySchema<RevocationRow>({
    name: 'TokenRevocation',
    tableName: 'token_revocations',
    columns: {
      id: t.id({ primary: true }),
      tenant: t.word(64),
      kind: t.choice(REVOCATION_KINDS),
      value: t.word(128),
      not_before: t.time(),
      revoked_at: t.time(),
      expires_at: t.time(),
      revoked_by: t.word(255),
      reason: t.word(500),
      lifted_at: t.time({ default: 0 }),
      changed_at: t.time(),
    },
    checks: [{ name: 'ck_token_revocations_kind', expression: `kind IN ('id','subject','tenant') AND (kind = 'tenant') = (value = '')` }],
    indices: [
      { name: 'ix_token_revocations_tenant', columns: ['tenant', 'id'] },
      { name: 'ix_token_revocations_changed', columns: ['changed_at', 'id'] },
      { name: 'ix_token_revocations_expires', columns: ['expires_at'] },
    ],
  });
};

/** Everything this lib stores. */
export const AUTH_ENTITIES: readonly EntityFactory[] = [tokenRevocations];

/** The table of this lib as a TypeORM entity; a test compares it with the migrations. */
import { EntitySchema } from 'typeorm';
import { columnTypes, type EntityFactory } from '@app/database';

export interface AuditRow {
  id: Buffer;
  tenant: string;
  at: number;
  actor: string;
  action: string;
  target: string;
  reason: string;
  detail: string;
}

const auditEntries: EntityFactory = (engine) => {
  const t = columnTypes(engine);
  return new EntitySchema<AuditRow>({
    name: 'AuditEntry',
    tableName: 'audit_entries',
    columns: {
      id: t.id({ primary: true }),
      tenant: t.word(64),
      at: t.time(),
      actor: t.word(255),
      action: t.word(64),
      target: t.word(128),
      reason: t.word(500),
      detail: t.long(),
    },
    indices: [{ name: 'ix_audit_entries_tenant', columns: ['tenant', 'id'] }],
  });
};

/** Everything this lib stores. */
export const AUDIT_ENTITIES: readonly EntityFactory[] = [auditEntries];

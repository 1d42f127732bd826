/** The tables of this lib as TypeORM entities; a test compares them with the migrations. */
import { EntitySchema } from 'typeorm';
import { columnTypes, type Engine, type EntityFactory } from '@app/database';

export interface LimitRow {
  /** `*`: every tenant that has no row of its own. */
  tenant: string;
  /** Empty: the whole tenant. */
  queue: string;
  name: string;
  value: number;
  set_at: number;
  set_by: string;
  reason: string;
}

/** A check is declared for SQLite only: TypeORM does not look at those of the MySQL family. */
const checks = (engine: Engine, name: string) => (engine === 'sqlite' ? [{ name, expression: '' }] : []);

const limits: EntityFactory = (engine) => {
  const t = columnTypes(engine);
  return new EntitySchema<LimitRow>({
    name: 'Limit',
    tableName: 'limits',
    columns: {
      tenant: t.word(64, { primary: true }),
      queue: t.word(64, { primary: true }),
      name: t.word(32, { primary: true }),
      value: t.time(),
      set_at: t.time(),
      set_by: t.word(255),
      reason: t.word(500),
    },
    checks: checks(engine, 'ck_limits_value'),
  });
};

const tenantUsage: EntityFactory = (engine) => {
  const t = columnTypes(engine);
  return new EntitySchema({
    name: 'TenantUsage',
    tableName: 'tenant_usage',
    columns: {
      tenant: t.word(64, { primary: true }),
      queue: t.word(64, { primary: true }),
      over_limit: t.small({ default: 0 }),
      tasks: t.time({ default: 0 }),
      payload_bytes: t.time({ default: 0 }),
      counted_at: t.time({ default: 0 }),
    },
    checks: checks(engine, 'ck_tenant_usage_over'),
  });
};

const usageReturns: EntityFactory = (engine) => {
  const t = columnTypes(engine);
  return new EntitySchema({
    name: 'UsageReturn',
    tableName: 'usage_returns',
    columns: {
      tenant: t.word(64, { primary: true }),
      id: t.id({ primary: true }),
      queue: t.word(64, { primary: true }),
      tasks: t.count(),
      payload_bytes: t.time(),
    },
  });
};

/** Everything this lib stores. */
export const LIMIT_ENTITIES: readonly EntityFactory[] = [limits, tenantUsage, usageReturns];

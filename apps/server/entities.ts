/** Everything that is stored, by all libs: one database, one schema. */
import { AUDIT_ENTITIES } from '@app/audit';
import type { EntityFactory } from '@app/database';
import { LIMIT_ENTITIES } from '@app/limits';
import { TASK_ENTITIES } from '@app/tasks';

export const ENTITIES: readonly EntityFactory[] = [...TASK_ENTITIES, ...AUDIT_ENTITIES, ...LIMIT_ENTITIES];

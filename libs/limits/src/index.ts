export { LIMIT_ENTITIES } from './entities.js';
export { LimitBook } from './limit-book.js';
export { defaultLimits, EVERY_TENANT, LIMIT_BOUNDS, LIMIT_NAMES, QUEUE_LIMIT, type LimitName, type TenantLimits } from './limit-names.js';
export { LimitsModule } from './limits.module.js';

export { LIMIT_ENTITIES } from './entities.js';
export { LimitBook } from './limit-book.js';
export { defaultLimits, EVERY_TENANT, LIMIT_BOUNDS, LIMIT_NAMES, QUEUE_LIMIT, type LimitName, type TenantLimits } from './limit-names.js';
export { LimitsModule } from './limits.module.js';
export { AttemptLimits, type AttemptOptions } from './rate-attempts.js';
export { RATE_ENTITIES } from './rate-entities.js';
export { RateLimited, type Limited } from './rate-errors.js';
export { RateLimiter, type Admission, type Caller, type RateOptions, type Rates, type TenantRate } from './rate-limiter.js';
export { RateStore, StoredRates, type Taken, type Want } from './rate-store.js';
export { RateTaker } from './rate-taker.js';
export { RatesModule } from './rates.module.js';
export { LimitSetter, type LimitChange, type SetLimit } from './set-limits.js';
export { TenantUsage, type Usage } from './usage.js';
export {
  goesBeyond,
  lockReturns,
  lockUsage,
  makeUsage,
  noteReturns,
  OVER_LIMIT,
  readUsage,
  sumOf,
  takeOff,
  takeUsage,
  type Demand,
  type ReturnRow,
  type UsageRow,
} from './usage.sql.js';

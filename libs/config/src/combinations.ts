/**
 * The rules that tie settings to each other. A rule is asked only where every setting it names could be read, so that one
 * typing mistake does not bring a second, misleading problem with it.
 */
import { usesSqlite, type Rule } from './rule.js';
import { settingEntries, type SettingValues } from './settings.js';
import { TOKEN_RULES } from './token-rules.js';
import { TRANSPORT_RULES } from './transport-rules.js';

function shortestRetention(values: SettingValues): number {
  const { retentionSucceededMs, retentionFailedMs, retentionCancelledMs, retentionExpiredMs, retentionBulkMs } = values;
  return Math.min(retentionSucceededMs, retentionFailedMs, retentionCancelledMs, retentionExpiredMs, retentionBulkMs);
}

/** The variables of the list that hold a secret of this program. */
function secretsAmong(names: readonly string[]): string[] {
  return settingEntries().flatMap(([name, { secret }]) => (secret && names.includes(name) ? [name] : []));
}

export const RULES: readonly Rule[] = [
  ...TRANSPORT_RULES,
  {
    needs: ['failpoints', 'nodeEnv'],
    problem: (values) =>
      values.failpoints.length > 0 && values.nodeEnv === 'production'
        ? 'FAILPOINTS makes the process kill or stop itself, for tests: remove it, or do not set NODE_ENV=production.'
        : null,
  },
  {
    needs: ['role', 'databaseUrl'],
    problem: (values) =>
      usesSqlite(values) && values.role !== 'all'
        ? `DATABASE_URL is a SQLite file (the default), which only one process can use: write a mysql:// address for ROLE=${values.role}, or use ROLE=all.`
        : null,
  },
  {
    needs: ['role', 'redisUrls'],
    problem: (values) =>
      values.redisUrls.length === 0 && values.role !== 'all'
        ? `REDIS_URL must be set for ROLE=${values.role}: without it the queue lives inside one process, which only ROLE=all can use.`
        : null,
  },
  {
    needs: ['databaseUrl', 'redisUrls'],
    problem: (values) =>
      usesSqlite(values) && values.redisUrls.length > 0
        ? 'DATABASE_URL is a SQLite file (the default) and REDIS_URL is set: write a mysql:// address into DATABASE_URL, or remove REDIS_URL.'
        : null,
  },
  {
    needs: ['databaseLockTimeoutMs', 'databaseStatementTimeoutMs'],
    problem: (values) =>
      values.databaseLockTimeoutMs >= values.databaseStatementTimeoutMs
        ? 'DATABASE_LOCK_TIMEOUT_MS must be below DATABASE_STATEMENT_TIMEOUT_MS, or a wait for a lock ends as a statement that ran too long and is not tried again.'
        : null,
  },
  {
    needs: [
      'idempotencyRetentionMs',
      'retentionSucceededMs',
      'retentionFailedMs',
      'retentionCancelledMs',
      'retentionExpiredMs',
      'retentionBulkMs',
    ],
    problem: (values) =>
      values.idempotencyRetentionMs > shortestRetention(values)
        ? 'IDEMPOTENCY_RETENTION_MS must not exceed any of RETENTION_SUCCEEDED_MS, RETENTION_FAILED_MS, RETENTION_CANCELLED_MS, RETENTION_EXPIRED_MS and RETENTION_BULK_MS, or a repeated request finds its key but not what it started.'
        : null,
  },
  ...TOKEN_RULES,
  {
    needs: ['schedulerSweepMs', 'workerLeaseMs'],
    problem: (values) =>
      values.schedulerSweepMs > values.workerLeaseMs
        ? 'SCHEDULER_SWEEP_MS must not be greater than WORKER_LEASE_MS: a lost worker must be looked for at least once per lease.'
        : null,
  },
  {
    needs: ['workerBlockWarnMs', 'workerStallMs'],
    problem: (values) =>
      values.workerBlockWarnMs > values.workerStallMs
        ? 'WORKER_BLOCK_WARN_MS must not be greater than WORKER_STALL_MS: a process that was ended names nobody any more.'
        : null,
  },
  {
    needs: ['isolateEnv'],
    problem: (values) =>
      secretsAmong(values.isolateEnv).length > 0
        ? `ISOLATE_ENV names ${secretsAmong(values.isolateEnv).join(', ')}: handlers must not get the secrets of the worker itself.`
        : null,
  },
  {
    needs: ['retryBaseMs', 'retryMaxMs'],
    problem: (values) =>
      values.retryBaseMs > values.retryMaxMs
        ? 'RETRY_BASE_MS must not be greater than RETRY_MAX_MS: the first pause cannot be longer than the longest.'
        : null,
  },
  {
    needs: ['payloadMaxBytes', 'batchMaxBytes'],
    problem: (values) =>
      values.payloadMaxBytes > values.batchMaxBytes
        ? 'PAYLOAD_MAX_BYTES must not be greater than BATCH_MAX_BYTES: a batch must have room for one payload.'
        : null,
  },
];

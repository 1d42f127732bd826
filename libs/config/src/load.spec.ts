import { generateKeyPairSync } from 'node:crypto';
import { inspect } from 'node:util';
import { describe, expect, it } from '@jest/globals';
import { InvalidConfiguration } from '@app/errors';
import { Config } from './config.js';
import { readEnvironment } from './environment.js';
import { loadConfig, type Environment } from './load.js';
import { fieldOf, settingEntries } from './settings.js';

const SECRET = 'x'.repeat(32);
const MYSQL = 'mysql://user:pass@db.example:3306/tasks';
const REDIS = 'redis://redis.example:6379';
const DISTRIBUTED: Environment = { DATABASE_URL: MYSQL, REDIS_URL: REDIS, AUTH_JWT_SECRET: SECRET };

const ISSUED: Environment = { AUTH_ISSUER: 'https://issuer.example/', AUTH_AUDIENCE: 'task-runner-x' };
const JWKS = 'https://issuer.example:8443/keys?v=1';

const edPem = generateKeyPairSync('ed25519').publicKey.export({ type: 'spki', format: 'pem' }).toString();
const ecKey = generateKeyPairSync('ec', { namedCurve: 'P-256' });
const ecPem = ecKey.publicKey.export({ type: 'spki', format: 'pem' }).toString();
const otherCurve = generateKeyPairSync('ec', { namedCurve: 'P-384' }).publicKey.export({ type: 'spki', format: 'pem' }).toString();
const weakRsa = generateKeyPairSync('rsa', { modulusLength: 1_024 }).publicKey.export({ type: 'spki', format: 'pem' }).toString();
const privatePem = ecKey.privateKey.export({ type: 'pkcs8', format: 'pem' }).toString();

function problemsOf(environment: Environment): readonly string[] {
  try {
    loadConfig(environment);
  } catch (error) {
    if (error instanceof InvalidConfiguration) return error.problems;
    throw error;
  }
  return [];
}

describe('loadConfig', () => {
  it('needs nothing for an embedded start', () => {
    const config = loadConfig({});
    expect(config).toBeInstanceOf(Config);
    expect(config).toMatchObject({
      role: 'all',
      port: 3_000,
      databaseUrl: 'sqlite:data/taskrunnerx.db',
      redisUrls: [],
      workerQueues: '*',
      workerLeaseMs: 15_000,
      heartbeatTask: true,
      handlersDir: null,
      authJwtSecret: null,
      retentionFailedMs: 2_592_000_000,
      retryJitter: 0.2,
      embedded: true,
    });
  });

  it('has a value for every setting, and the defaults pass their own reading', () => {
    const config = loadConfig({});
    for (const [name, setting] of settingEntries()) {
      expect(Object.keys(config)).toContain(fieldOf(name));
      const { fallback } = setting;
      if (typeof fallback === 'string' || typeof fallback === 'number') expect(setting.read(String(fallback))).toEqual({ value: fallback });
    }
  });

  it.each<[string, Environment]>([
    ['every role on MySQL and Redis', { ...DISTRIBUTED, ROLE: 'api' }],
    ['a worker without a key', { ROLE: 'worker', DATABASE_URL: MYSQL, REDIS_URL: REDIS }],
    ['a scheduler on MariaDB without a key', { ROLE: 'scheduler', DATABASE_URL: 'mariadb://db/tasks', REDIS_URL: REDIS }],
    ['all roles on MySQL with the in-process doorbell', { ROLE: 'all', DATABASE_URL: MYSQL, AUTH_JWT_SECRET: SECRET }],
    ['a public key with escaped line breaks', { AUTH_JWT_PUBLIC_KEY: ecPem.replaceAll('\n', '\\n') }],
    ['an Ed25519 key', { AUTH_JWT_PUBLIC_KEY: edPem }],
    ['a public key of an issuer', { ...ISSUED, DATABASE_URL: MYSQL, AUTH_JWT_PUBLIC_KEY: ecPem }],
    ['a key set of an issuer', { ...ISSUED, ROLE: 'api', DATABASE_URL: MYSQL, REDIS_URL: REDIS, AUTH_JWKS_URL: JWKS }],
    ['an encoded password', { ...DISTRIBUTED, DATABASE_URL: 'mysql://u:p%40%3A%2F%23@db/tasks' }],
    ['IPv6 hosts', { ...DISTRIBUTED, HOST: '::1', DATABASE_URL: 'mysql://u@[::1]:3307/tasks' }],
    ['Redis over TLS with a database number', { ...DISTRIBUTED, REDIS_URL: 'rediss://user:p%2C@redis.example:6380/3' }],
    ['proxies by number', { TRUST_PROXY: '2' }],
    ['proxies by network', { TRUST_PROXY: '10.0.0.0/8,2001:db8::/32,192.0.2.7' }],
    ['bounds', { PORT: '0', WORKER_CONCURRENCY: '1000', RETRY_JITTER: '1', RETRY_BASE_MS: '0', RETRY_MAX_MS: '0' }],
  ])('accepts %s', (_, environment) => {
    expect(problemsOf(environment)).toEqual([]);
  });

  it('reads lists, toggles and keys into their types', () => {
    const config = loadConfig({
      ...DISTRIBUTED,
      ...ISSUED,
      AUTH_JWT_SECRET: undefined,
      AUTH_JWT_PUBLIC_KEY: ` ${ecPem.replaceAll('\n', '\\n')} `,
      REDIS_URL: 'redis://a:7000,redis://b:7000/0',
      WORKER_QUEUES: 'mail,reports.daily',
      FAILPOINTS: 'claim.committed=kill@3,ring.sent=stop@1',
      HEARTBEAT_TASK: 'off',
    });
    expect(config.redisUrls).toEqual(['redis://a:7000', 'redis://b:7000/0']);
    expect(config.workerQueues).toEqual(['mail', 'reports.daily']);
    expect(config.heartbeatTask).toBe(false);
    expect(config.authJwtPublicKey).toBe(ecPem);
    expect(config.embedded).toBe(false);
  });

  it.each<[Environment, ...string[]]>([
    [{ ROLE: 'web' }, 'ROLE must be one of api, worker, scheduler, all.'],
    [{ DATABASE_LOCK_TIMEOUT_MS: '10000' }, 'DATABASE_LOCK_TIMEOUT_MS must be below DATABASE_STATEMENT_TIMEOUT_MS'],
    [{ RETENTION_SUCCEEDED_MS: '3600000' }, 'IDEMPOTENCY_RETENTION_MS must not exceed any of RETENTION_SUCCEEDED_MS'],
    [{ RETENTION_BULK_MS: '3600000' }, 'RETENTION_EXPIRED_MS and RETENTION_BULK_MS, or a repeated request'],
    [{ ROLE: 'API' }, 'ROLE must be one of'],
    [{ ROLE: '' }, 'ROLE is set but empty'],
    [{ PORT: '65536' }, 'PORT must be a whole number, 0 to 65535.'],
    [{ PORT: '-1' }, 'PORT must be'],
    [{ PORT: '3000.5' }, 'PORT must be'],
    [{ PORT: '0x10' }, 'PORT must be'],
    [{ PORT: '1e3' }, 'PORT must be'],
    [{ PORT: '03000' }, 'PORT must be'],
    [{ PORT: ' 3000' }, 'PORT begins or ends with white space'],
    [{ HOST: 'http://x' }, 'HOST must be an IP address or a host name'],
    [{ DATABASE_URL: 'postgres://u:p@h/d' }, 'DATABASE_URL must be mysql://'],
    [{ DATABASE_URL: 'sqlite:' }, 'DATABASE_URL must name a file'],
    [{ DATABASE_URL: 'sqlite:///abs.db' }, 'DATABASE_URL must name a file'],
    [{ DATABASE_URL: 'sqlite::memory:' }, 'DATABASE_URL must name a plain file'],
    [{ DATABASE_URL: 'mysql://u:p@h' }, 'DATABASE_URL must end with the name of one database'],
    [{ DATABASE_URL: 'mysql://u:p@h/a/b' }, 'DATABASE_URL must end with the name of one database'],
    [{ DATABASE_URL: 'mysql://u:p@h/d?ssl=false' }, 'DATABASE_URL must end with the name of the database, without ?'],
    [{ DATABASE_URL: 'mysql://u:p%zz@h/d' }, 'DATABASE_URL has a user name or password that cannot be read'],
    [{ DATABASE_URL: 'mysql://u:p@h:99999/d' }, 'DATABASE_URL must be mysql://'],
    [{ DATABASE_POOL_SIZE: '1' }, 'DATABASE_POOL_SIZE must be a whole number, 2 to 200.'],
    [{ DATABASE_LOCK_TIMEOUT_MS: '1500' }, 'DATABASE_LOCK_TIMEOUT_MS must be a whole number, 1000 to 60000 ms, a multiple of 1000.'],
    [{ DATABASE_TLS: 'on' }, 'DATABASE_TLS must be one of off, verify.'],
    [{ ...DISTRIBUTED, REDIS_URL: 'http://h' }, 'REDIS_URL must be redis://'],
    [{ ...DISTRIBUTED, REDIS_URL: 'redis://a,' }, 'REDIS_URL must be redis://'],
    [{ ...DISTRIBUTED, REDIS_URL: 'redis://a, redis://b' }, 'REDIS_URL must be redis://'],
    [{ ...DISTRIBUTED, REDIS_URL: 'redis://a/keys' }, 'REDIS_URL must be redis://'],
    [{ ...DISTRIBUTED, REDIS_URL: 'redis://a?db=1' }, 'REDIS_URL must be redis://'],
    [{ ...DISTRIBUTED, REDIS_URL: 'redis://a/1,redis://b' }, 'REDIS_URL must not name a database in a list'],
    [{ ...DISTRIBUTED, REDIS_URL: 'redis://a,rediss://b' }, 'REDIS_URL must use either redis:// or rediss://'],
    [{ REDIS_KEY_PREFIX: 'Tasks' }, 'REDIS_KEY_PREFIX must be 1 to 32 of a-z 0-9 -'],
    [{ AUTH_JWT_SECRET: 'short' }, 'AUTH_JWT_SECRET must have at least 32 bytes'],
    [{ AUTH_JWT_SECRET: `${SECRET}\n` }, 'AUTH_JWT_SECRET begins or ends with white space'],
    [{ AUTH_JWT_PUBLIC_KEY: '/etc/keys/jwt.pem' }, 'AUTH_JWT_PUBLIC_KEY must be PEM text'],
    [{ AUTH_JWT_PUBLIC_KEY: privatePem }, 'AUTH_JWT_PUBLIC_KEY must be the public key, not the private one'],
    [
      { AUTH_JWT_PUBLIC_KEY: otherCurve },
      'AUTH_JWT_PUBLIC_KEY must be an RSA key of at least 2048 bits, an EC key on P-256 or an Ed25519 key',
    ],
    [{ AUTH_JWT_PUBLIC_KEY: weakRsa }, 'AUTH_JWT_PUBLIC_KEY must be an RSA key'],
    [{ AUTH_JWT_PUBLIC_KEY: '-----BEGIN PUBLIC KEY-----\nabc\n-----END PUBLIC KEY-----' }, 'AUTH_JWT_PUBLIC_KEY cannot be read'],
    [{ AUTH_JWT_SECRET: ['a-string-secret', 'at-least-256-bits-long'].join('-') }, 'AUTH_JWT_SECRET is the secret of a well-known example'],
    [{ AUTH_JWKS_URL: 'http://issuer.example/jwks' }, 'AUTH_JWKS_URL must be https://'],
    [{ AUTH_JWKS_URL: 'issuer.example' }, 'AUTH_JWKS_URL must be https://'],
    [{ AUTH_JWKS_URL: 'https:\\\\issuer.example' }, 'AUTH_JWKS_URL must be https://'],
    [{ AUTH_JWKS_URL: 'https://user:hush@issuer.example/jwks' }, 'AUTH_JWKS_URL must hold neither a user name or password'],
    [{ AUTH_JWKS_URL: 'https://issuer.example/jwks#x' }, 'AUTH_JWKS_URL must hold neither'],
    [{ AUTH_TOKEN_TYPE: 'JWT' }, 'AUTH_TOKEN_TYPE must be one of any, at+jwt.'],
    [{ AUTH_LEEWAY_MS: '300001' }, 'AUTH_LEEWAY_MS must be'],
    [{ AUTH_JWKS_MAX_AGE_MS: '86400001' }, 'AUTH_JWKS_MAX_AGE_MS must be'],
    [{ AUTH_ISSUER: '' }, 'AUTH_ISSUER is set but empty'],
    [{ AUTH_AUDIENCE: 'a\u0007b' }, 'AUTH_AUDIENCE must be a text'],
    [{ WORKER_QUEUES: 'a,,b' }, 'WORKER_QUEUES must be *'],
    [{ WORKER_QUEUES: 'a b' }, 'WORKER_QUEUES must be *'],
    [{ WORKER_QUEUES: 'a,a' }, 'WORKER_QUEUES must name every queue once'],
    [{ WORKER_QUEUES: Array.from({ length: 65 }, (_, i) => `q${i}`).join(',') }, 'WORKER_QUEUES must list at most 64'],
    [{ WORKER_LEASE_MS: '2999' }, 'WORKER_LEASE_MS must be'],
    [{ HEARTBEAT_TASK: 'true' }, 'HEARTBEAT_TASK must be on or off.'],
    [{ RETRY_BACKOFF: 'fibonacci' }, 'RETRY_BACKOFF must be one of exponential, linear, fixed.'],
    [{ RETRY_JITTER: '1.01' }, 'RETRY_JITTER must be a number from 0 to 1'],
    [{ RETRY_JITTER: '.5' }, 'RETRY_JITTER must be a number'],
    [{ RETENTION_FAILED_MS: '59999' }, 'RETENTION_FAILED_MS must be'],
    [{ LOG_LEVEL: 'verbose' }, 'LOG_LEVEL must be one of'],
    [{ FAILPOINTS: 'claim.committed' }, 'FAILPOINTS must be a comma-separated list of NAME=kill@N and NAME=stop@N'],
    [{ FAILPOINTS: 'claim.committed=throw@1' }, 'FAILPOINTS must be'],
    [{ FAILPOINTS: 'claim.committed=kill@0' }, 'FAILPOINTS must be'],
    [{ FAILPOINTS: 'claim.committed=kill@1, ring.sent=stop@2' }, 'FAILPOINTS must be'],
    [{ FAILPOINTS: 'ring.sent=kill@1,ring.sent=stop@2' }, 'FAILPOINTS must name every failpoint once.'],
    [{ FAILPOINTS: 'ring.sent=kill@1', NODE_ENV: 'production' }, 'FAILPOINTS makes the process kill or stop itself, for tests'],
    [{ WORKER_BLOCK_WARN_MS: '30001' }, 'WORKER_BLOCK_WARN_MS must not be greater than WORKER_STALL_MS'],
    [{ PROCESS_RUN_ALLOW: 'render' }, 'PROCESS_RUN_ALLOW must be a comma-separated list of absolute paths of programs'],
    [{ PROCESS_RUN_ALLOW: '/bin/true,./render' }, 'PROCESS_RUN_ALLOW must be a comma-separated list of absolute paths of programs'],
    [{ PROCESS_RUN_ALLOW: '/bin/true,' }, 'PROCESS_RUN_ALLOW must be a comma-separated list of absolute paths of programs'],
    [{ PROCESS_RUN_ALLOW: '/opt/../bin/sh' }, 'PROCESS_RUN_ALLOW must hold paths without'],
    [{ PROCESS_RUN_ALLOW: '/bin/true,/bin/true' }, 'PROCESS_RUN_ALLOW must name every path once.'],
    [{ PROCESS_RUN_DIRECTORIES: '/srv/' }, 'PROCESS_RUN_DIRECTORIES must hold paths without'],
    [{ PROCESS_RUN_ENV_ALLOW: 'A B' }, 'PROCESS_RUN_ENV_ALLOW must be'],
    [{ TRUST_PROXY: 'true' }, 'TRUST_PROXY must be a number of proxies from 1 to 10'],
    [{ TRUST_PROXY: '0' }, 'TRUST_PROXY must be'],
    [{ TRUST_PROXY: '0.0.0.0/0' }, 'TRUST_PROXY must be'],
    [{ TRUST_PROXY: '10.0.0.0/33' }, 'TRUST_PROXY must be'],
    [{ TRUST_PROXY: '10.0.0.1, 10.0.0.2' }, 'TRUST_PROXY must be'],
    [{ HANDLERS_DIR: '  ' }, 'HANDLERS_DIR is set but empty'],
    [{ ROLE: 'api', AUTH_JWT_SECRET: SECRET }, 'DATABASE_URL is a SQLite file', 'REDIS_URL must be set for ROLE=api'],
    [{ ROLE: 'worker', DATABASE_URL: MYSQL }, 'REDIS_URL must be set for ROLE=worker'],
    [{ REDIS_URL: REDIS, AUTH_JWT_SECRET: SECRET }, 'DATABASE_URL is a SQLite file (the default) and REDIS_URL is set'],
    [{ DATABASE_URL: MYSQL }, 'AUTH_JWT_SECRET, AUTH_JWT_PUBLIC_KEY or AUTH_JWKS_URL must be set'],
    [{ ROLE: 'api', DATABASE_URL: MYSQL, REDIS_URL: REDIS }, 'AUTH_JWT_SECRET, AUTH_JWT_PUBLIC_KEY or AUTH_JWKS_URL must be set'],
    [{ AUTH_JWT_SECRET: SECRET, AUTH_JWT_PUBLIC_KEY: ecPem }, 'AUTH_JWT_SECRET and AUTH_JWT_PUBLIC_KEY are set together'],
    [{ ...ISSUED, AUTH_JWT_SECRET: SECRET, AUTH_JWKS_URL: JWKS }, 'AUTH_JWT_SECRET and AUTH_JWKS_URL are set together'],
    [{ DATABASE_URL: MYSQL, AUTH_JWT_PUBLIC_KEY: ecPem }, 'AUTH_ISSUER and AUTH_AUDIENCE must be set with AUTH_JWT_PUBLIC_KEY'],
    [{ DATABASE_URL: MYSQL, AUTH_JWT_PUBLIC_KEY: ecPem, AUTH_ISSUER: 'i' }, 'AUTH_AUDIENCE must be set with AUTH_JWT_PUBLIC_KEY'],
    [{ AUTH_JWKS_URL: JWKS, AUTH_AUDIENCE: 'a' }, 'AUTH_ISSUER must be set with AUTH_JWKS_URL'],
    [{ AUTH_REVOCATION_STALE_MS: '9999' }, 'AUTH_REVOCATION_STALE_MS must be at least twice AUTH_REVOCATION_POLL_MS'],
    [{ AUTH_JWKS_MAX_AGE_MS: '60000' }, 'AUTH_JWKS_MAX_AGE_MS must be at least twice AUTH_JWKS_REFRESH_MS'],
    [{ SCHEDULER_SWEEP_MS: '15001' }, 'SCHEDULER_SWEEP_MS must not be greater than WORKER_LEASE_MS'],
    [{ WORKER_LEASE_MS: '4000' }, 'SCHEDULER_SWEEP_MS must not be greater than WORKER_LEASE_MS'],
    [{ RETRY_BASE_MS: '3600001' }, 'RETRY_BASE_MS must not be greater than RETRY_MAX_MS'],
    [{ PAYLOAD_MAX_BYTES: '131072', BATCH_MAX_BYTES: '65536' }, 'PAYLOAD_MAX_BYTES must not be greater than BATCH_MAX_BYTES'],
  ])('refuses %j', (environment, ...expected) => {
    const problems = problemsOf(environment);
    expect(problems).toHaveLength(expected.length);
    expected.forEach((text, index) => expect(problems[index]).toContain(text));
  });

  it('tells all problems at once, without a second one for the same mistake', () => {
    const problems = problemsOf({
      ROLE: 'web',
      PORT: 'http',
      DATABASE_URL: '',
      AUTH_JWT_SECRET: 'weak',
      WORKER_LEASE_MS: '1',
      RETRY_BASE_MS: '2',
      RETRY_MAX_MS: '1',
    });
    expect(problems.map((problem) => problem.split(' ')[0])).toEqual([
      'ROLE',
      'PORT',
      'DATABASE_URL',
      'AUTH_JWT_SECRET',
      'WORKER_LEASE_MS',
      'RETRY_BASE_MS',
    ]);
  });

  it('names every variable when all are wrong, and repeats no value', () => {
    const marker = 'Hush-7f3a /etc/hush';
    const names = settingEntries().map(([name]) => name);
    const problems = problemsOf(Object.fromEntries(names.map((name) => [name, ` ${marker} `])));
    expect(problems.map((problem) => problem.split(' ')[0])).toEqual(names);
    const inner = problemsOf(Object.fromEntries(names.map((name) => [name, marker])));
    expect([...problems, ...inner].join('\n')).not.toMatch(/hush/i);
  });

  it('repeats no secret in a problem', () => {
    const problems = problemsOf({ DATABASE_URL: 'mysql://root:hush@h', REDIS_URL: 'redis://:hush@h/x', AUTH_JWT_SECRET: 'hush' });
    expect(problems).toHaveLength(3);
    expect(problems.join('\n')).not.toContain('hush');
  });

  it('ignores variables it does not know, such as those Kubernetes adds for services', () => {
    expect(problemsOf({ REDIS_PORT: 'tcp://10.0.0.1:6379', PATH: '/bin' })).toEqual([]);
  });
});

describe('Config', () => {
  it('is frozen, lists included', () => {
    const config = loadConfig({ ...DISTRIBUTED, WORKER_QUEUES: 'a,b' });
    expect(Object.isFrozen(config)).toBe(true);
    expect(Object.isFrozen(config.redisUrls)).toBe(true);
    expect(Object.isFrozen(config.workerQueues)).toBe(true);
  });

  it('hides its secrets when shown', () => {
    const config = loadConfig(DISTRIBUTED);
    for (const shown of [JSON.stringify(config), inspect(config)]) {
      expect(shown).not.toContain(SECRET);
      expect(shown).not.toContain('pass@');
      expect(shown).not.toContain('redis.example');
      expect(shown).toContain('[secret]');
    }
  });
});

describe('readEnvironment', () => {
  it('is a frozen copy', () => {
    const environment = readEnvironment();
    expect(environment['PATH']).toBe(process.env['PATH']);
    expect(Object.isFrozen(environment)).toBe(true);
  });
});

/** The schema after the migrations: committed as text per engine, agreeing with the entities, refusing impossible rows. */
import { existsSync, readFileSync, writeFileSync } from 'node:fs';
import { fileURLToPath } from 'node:url';
import { afterAll, beforeAll, describe, expect, it } from '@jest/globals';
import { DatabaseError, sql, type OpenDatabase, type SqlValue } from '../../../libs/database/src/index.js';
import { backends } from '../../support/backends.js';
import { Opened, rejection } from './opened.js';
import { dumpSchema } from './schema-dump.js';

const NOBODY = Buffer.alloc(16);
const SOMEBODY = Buffer.alloc(16, 1);

/** A task as the submission stores it. */
const QUEUED: Readonly<Record<string, SqlValue>> = {
  tenant: 't',
  queue: 'q',
  name: 'n',
  lane: 1,
  priority: 0,
  phase: 'live',
  state: 'queued',
  worker_id: NOBODY,
  run_at: 1,
  created_at: 1,
  updated_at: 1,
  created_by: 's',
  options: '{}',
  payload: 'null',
};
const RUNNING = { state: 'running', worker_id: SOMEBODY, started_at: 2, attempt: 1 };
const SUCCEEDED = { state: 'succeeded', phase: 'succeeded', finished_at: 3 };
const FAILED = { state: 'failed', phase: 'failed', ended: 'failed', reason: 'poison', finished_at: 3 };

describe.each(backends())('the schema on $name', (backend) => {
  const opened = new Opened();
  let open: OpenDatabase;
  let next = 0;
  beforeAll(async () => {
    open = await opened.migrated(backend);
  });
  afterAll(() => opened.close());

  function insert(table: string, values: Readonly<Record<string, SqlValue>>): Promise<number> {
    const [columns, marks] = [
      Object.keys(values).join(', '),
      Object.keys(values)
        .map(() => '?')
        .join(', '),
    ];
    return open.database.execute({ text: `INSERT INTO ${table} (${columns}) VALUES (${marks})`, values: Object.values(values) });
  }
  function insertTask(change: Readonly<Record<string, SqlValue>>): Promise<number> {
    next += 1;
    const id = Buffer.alloc(16);
    id.writeUInt32BE(next, 12);
    return insert('tasks', { id, ...QUEUED, ...change });
  }

  it('is the committed one', async () => {
    const path = fileURLToPath(new URL(`./schema.${backend.name}.sql`, import.meta.url));
    const schema = await dumpSchema(open.database);
    if (process.env['UPDATE_SNAPSHOTS'] === '1') writeFileSync(path, schema);
    const committed = existsSync(path) ? readFileSync(path, 'utf8') : '';
    if (schema !== committed) {
      const advice = `The schema differs from ${path.split('/').slice(-4).join('/')}. If that is meant, renew the file: UPDATE_SNAPSHOTS=1 npm run test:integration`;
      expect(`${advice}\n${schema}`).toBe(`${advice}\n${committed}`);
    }
    expect(schema).toContain('tasks');
  });

  it('is what the entities expect', async () => {
    const { upQueries } = await open.dataSource.driver.createSchemaBuilder().log();
    expect(upQueries.map(({ query }) => query)).toEqual([]);
  });

  it.each<[string, Readonly<Record<string, SqlValue>>]>([
    ['a queued one', {}],
    ['an unrung one', { phase: 'unrung' }],
    ['a scheduled one', { state: 'scheduled', phase: 'waiting' }],
    ['a retrying one', { state: 'retrying', phase: 'waiting', attempt: 1, failures: 1 }],
    ['a running one', RUNNING],
    ['one that runs since a claim with a note', { ...RUNNING, phase: 'unrung' }],
    ['a succeeded one', SUCCEEDED],
    ['a failed one', FAILED],
    ['a cancelled one', { state: 'cancelled', phase: 'cancelled', ended: 'cancelled', finished_at: 3 }],
    ['an expired one', { state: 'expired', phase: 'expired', ended: 'expired', finished_at: 3 }],
  ])('takes every task that can be: %s', async (_what, change) => {
    expect(await insertTask(change)).toBe(1);
  });

  it.each<[string, Readonly<Record<string, SqlValue>>]>([
    ['finished and not in a final state', { finished_at: 3 }],
    ['in a final state and not finished', { ...SUCCEEDED, finished_at: 0 }],
    ['running with nobody', { ...RUNNING, worker_id: NOBODY }],
    ['with a worker and not running', { worker_id: SOMEBODY }],
    ['failed without a reason', { ...FAILED, reason: 'none' }],
    ['with a reason and not failed', { reason: 'poison' }],
    ['queued in the phase waiting', { phase: 'waiting' }],
    ['scheduled in the phase live', { state: 'scheduled' }],
    ['running in the phase waiting', { ...RUNNING, phase: 'waiting' }],
    ['succeeded in the phase live', { ...SUCCEEDED, phase: 'live' }],
    ['failed, but not counted among the ends', { ...FAILED, ended: 'none' }],
    ['queued, but counted among the ends', { ended: 'failed' }],
    ['in a state that does not exist', { state: 'paused' }],
    ['in no state', { state: '' }],
    ['in a phase that does not exist', { phase: 'dead' }],
    ['failed for a reason that does not exist', { ...FAILED, reason: 'because' }],
    ['in a lane that does not exist', { lane: 3 }],
    ['without a tenant', { tenant: null }],
    ['with a text where a number belongs', { attempt: 'many' }],
  ])('refuses a task that is %s', async (_what, change) => {
    const failure = await rejection(insertTask(change));
    expect(failure).toBeInstanceOf(DatabaseError);
    expect(failure).toMatchObject({ duplicate: false });
  });

  it('refuses a move that leaves half of a state behind', async () => {
    const id = Buffer.alloc(16, 9);
    await insert('tasks', { id, ...QUEUED });
    for (const change of [
      sql`UPDATE tasks SET state = 'running' WHERE id = ${id}`,
      sql`UPDATE tasks SET state = 'succeeded' WHERE id = ${id}`,
      sql`UPDATE tasks SET finished_at = 5 WHERE id = ${id}`,
    ])
      expect(await rejection(open.database.execute(change))).toBeInstanceOf(DatabaseError);
    expect(await open.database.query(sql`SELECT state, finished_at FROM tasks WHERE id = ${id}`)).toEqual([
      { state: 'queued', finished_at: 0 },
    ]);
  });

  it('refuses words that do not exist in the other tables', async () => {
    const attempt = {
      task_id: SOMEBODY,
      attempt: 1,
      worker_id: SOMEBODY,
      started_at: 1,
      finished_at: 2,
      error_code: '',
      error_message: '',
    };
    expect(await insert('attempts', { ...attempt, outcome: 'lost' })).toBe(1);
    const worker = { id: SOMEBODY, host: 'h', pid: 1, queues: '[]', handlers: '[]', concurrency: 1, lease_ms: 1, beat: 0 };
    for (const bad of [
      () => insert('attempts', { ...attempt, attempt: 2, outcome: 'vanished' }),
      () => insert('timers', { task_id: SOMEBODY, kind: 'tea', due_at: 1 }),
      () => insert('workers', { ...worker, started_at: 1, heartbeat_at: 1, state: 'asleep' }),
    ])
      expect(await rejection(bad())).toBeInstanceOf(DatabaseError);
  });

  it('has one row per key', async () => {
    const key = { tenant: 't', key_hash: Buffer.alloc(32, 1), fingerprint: Buffer.alloc(32, 2), task_id: SOMEBODY, created_at: 1 };
    await insert('idempotency_keys', key);
    expect(await rejection(insert('idempotency_keys', key))).toMatchObject({ duplicate: true });
    expect(await insert('idempotency_keys', { ...key, tenant: 'T' })).toBe(1);
  });
});

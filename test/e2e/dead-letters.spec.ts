/**
 * A night on call: hundreds of tasks fail, somebody looks why, mends one by hand, sends the others round again slowly once the
 * cause is gone, and stops an operation that does no good. The scheduler is killed in the middle of it.
 */
import { existsSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { afterAll, expect, it } from '@jest/globals';
import type { Backend } from '../support/backends.js';
import type { Client } from '../support/client.js';
import { useFleet } from '../support/fleet.js';
import { Installation } from '../support/installation.js';
import { Journal } from '../support/journal.js';
import { onServers } from '../support/on-servers.js';
import { removeDirectory, temporaryDirectory } from '../support/reaper.js';
import { until } from '../support/until.js';

const ENV = { SCHEDULER_BULK_MS: '100', WORKER_POLL_MS: '200', WORKER_CONCURRENCY: '20' };
const TASKS = 300;
const OTHERS = 200;

interface Bulk {
  id: string;
  state: string;
  examined: number;
  done: number;
  skipped: number;
}

/** Fails for good unless the bank is there or the payload says that it does not need it, and notes every run. */
const handler = (runs: string, bank: string): string => `
import { appendFileSync, existsSync } from 'node:fs';
export default { name: 'bank.transfer', async run(payload, ctx) {
  appendFileSync(${JSON.stringify(runs)}, ctx.id + '\\n');
  if (!payload.offline && !existsSync(${JSON.stringify(bank)})) throw Object.assign(new Error('the bank is away'), { retryable: false, code: 'bank-away' });
  return 'booked';
} };
`;

onServers('dead letters', (backend: Backend) => {
  const fleet = useFleet();
  const directory = temporaryDirectory('dead-letters');
  const journal = new Journal(directory);
  const [runs, bank] = [join(directory, 'runs.txt'), join(directory, 'bank')];
  writeFileSync(join(journal.handlersDir, 'bank.mjs'), handler(runs, bank));
  afterAll(() => {
    removeDirectory(directory);
  });

  /** Task id → how often it ran. */
  function runsOf(): Map<string, number> {
    const counts = new Map<string, number>();
    for (const id of existsSync(runs) ? readFileSync(runs, 'utf8').trim().split('\n') : []) counts.set(id, (counts.get(id) ?? 0) + 1);
    return counts;
  }

  async function submit(client: Client, count: number, queue: string): Promise<string[]> {
    const { items } = await client.submitBatch(Array.from({ length: count }, (_, n) => ({ name: 'bank.transfer', queue, payload: { n } })));
    return items.map(({ task }) => task?.id ?? '');
  }

  const dead = async (client: Client): Promise<{ total: number; items: object[] }> =>
    (await client.request<{ total: number; items: object[] }>('GET', '/api/dead-letters/summary')).body;
  const read = async (client: Client, id: string): Promise<Bulk> => (await client.request<Bulk>('GET', `/api/bulk/${id}`)).body;

  async function start(client: Client, queue: string, ratePerSecond: number): Promise<string> {
    const body = { action: 'retry', filter: { queue }, reason: 'the bank is back', ratePerSecond };
    const { status, headers, body: bulk } = await client.request<Bulk>('POST', '/api/bulk', { body });
    expect([status, headers.get('location')]).toEqual([202, `/api/bulk/${bulk.id}`]);
    return bulk.id;
  }

  it('are found, mended, sent round again and left alone, and every count is right', async () => {
    const installation = await Installation.start({ fleet, backend, handlersDir: journal.handlersDir, workers: 1, env: ENV });
    const client = installation.client();
    const ids = await submit(client, TASKS, 'transfers');
    await until(async () => (await dead(client)).total === TASKS, { deadlineMs: 30_000, what: 'all tasks to fail' });
    expect((await dead(client)).items).toMatchObject([
      { reason: 'permanent_error', name: 'bank.transfer', queue: 'transfers', count: TASKS },
    ]);
    const { body: page } = await client.request<{ items: object[]; nextCursor: string }>(
      'GET',
      '/api/dead-letters?reason=permanent_error&limit=200',
    );
    expect(page.items).toHaveLength(200);
    expect(page.items[0]).toMatchObject({ state: 'failed', discarded: false, lastError: { code: 'bank-away' } });
    const { body: rest } = await client.request<{ items: object[] }>(
      'GET',
      `/api/dead-letters?reason=permanent_error&limit=200&cursor=${page.nextCursor}`,
    );
    expect(rest.items).toHaveLength(TASKS - 200);

    const [mended = '', ...others] = ids;
    const edit = { payload: { n: 0, offline: true }, reason: 'booked by hand' };
    expect((await client.request('POST', `/api/tasks/${mended}/retry`, { body: edit })).status).toBe(200);
    expect(await client.finished(mended)).toMatchObject({ state: 'succeeded', result: 'booked', payload: edit.payload });

    writeFileSync(bank, '');
    const redrive = await start(client, 'transfers', 100);
    await until(async () => (await read(client, redrive)).done > 0, { what: 'the operation to begin' });
    installation.scheduler.kill('SIGKILL');
    expect(await read(client, redrive)).toMatchObject({ state: 'running' });
    await fleet.start({ env: { ...installation.env, ROLE: 'scheduler' } });
    await until(async () => (await read(client, redrive)).state === 'finished', { deadlineMs: 30_000, what: 'the operation to end' });
    expect(await read(client, redrive)).toMatchObject({ done: TASKS - 1, skipped: 0, examined: TASKS - 1 });
    for (const id of others) expect(await client.finished(id)).toMatchObject({ state: 'succeeded', attempt: 2 });
    expect(await dead(client)).toMatchObject({ total: 0, items: [] });
    expect([...runsOf().values()].every((count) => count === 2)).toBe(true);
    expect(runsOf().size).toBe(TASKS);

    rmSync(bank);
    const hopeless = await submit(client, OTHERS, 'hopeless');
    await until(async () => (await dead(client)).total === OTHERS, { deadlineMs: 30_000, what: 'the others to fail' });
    const vain = await start(client, 'hopeless', 20);
    await until(async () => (await read(client, vain)).done > 0, { what: 'the second operation to begin' });
    const { status, body: aborted } = await client.request<Bulk>('POST', `/api/bulk/${vain}/abort`);
    expect([status, aborted]).toEqual([200, expect.objectContaining({ id: vain, state: 'aborted', skipped: 0 })]);
    expect(aborted.done).toBeLessThan(OTHERS);
    await until(async () => (await dead(client)).total === OTHERS, { deadlineMs: 30_000, what: 'those sent round to fail again' });
    const attempts = (await client.listAll({ queue: 'hopeless' })).map(({ attempt }) => attempt);
    expect(attempts.filter((attempt) => attempt === 2)).toHaveLength(aborted.done);
    expect(attempts.filter((attempt) => attempt === 1)).toHaveLength(OTHERS - aborted.done);
    expect(await read(client, vain)).toEqual(aborted);

    const [one = ''] = hopeless;
    const discard = await client.request('POST', `/api/tasks/${one}/discard`, { body: { reason: 'never mind' } });
    expect([discard.status, discard.body]).toEqual([200, expect.objectContaining({ discarded: true, state: 'failed' })]);
    expect((await dead(client)).total).toBe(OTHERS - 1);
    const admin = installation.client({ scope: 'admin' });
    const audit = await admin.request<{ items: { action: string; target: string }[] }>('GET', '/api/audit');
    expect(audit.body.items.map(({ action, target }) => [action, target])).toEqual([
      ['task.discard', one],
      ['bulk.abort', vain],
      ['bulk.start', vain],
      ['bulk.start', redrive],
      ['task.retry', mended],
    ]);
  }, 120_000);
});

import { describe, expect, it } from '@jest/globals';
import { PermanentError } from '@app/handlers';
import { createLogger } from '@app/telemetry';
import { until } from '../../../../test/support/until.js';
import { fakeIsolate, type FakeIsolate } from '../../../../test/support/fake-isolate.js';
import { NOTHING_INHERITED, type Desk } from '../desk.js';
import { IsolatePool } from './isolate-pool.js';
import { IsolatedRun } from './isolated-run.js';
import type { IsolateSpec } from './isolate.js';
import type { Report, RunOrder } from './messages.js';
import { UNREADABLE } from './read-report.js';

const SPEC: IsolateSpec = { kind: 'process', module: 'file:///a.mjs', memoryMb: 64 };
const TASK = { id: 't', name: 'n', queue: 'q', tenant: 'acme', attempt: 3, failures: 0 };
const ORDER: RunOrder = {
  ...{ type: 'run', key: 't 3', handler: 'n', task: TASK, payload: '1', deadline: 0, inherited: NOTHING_INHERITED },
  ...{ resultBytesMax: 100, checkpointBytesMax: 100, deskMs: 1_000 },
};

async function started({ graceMs = 60_000, isLeased = () => true }: { graceMs?: number; isLeased?: () => boolean } = {}) {
  const made: FakeIsolate[] = [];
  const lines: Record<string, unknown>[] = [];
  const written: unknown[] = [];
  const desk: Desk = {
    progress: async (...report) => void written.push(report),
    checkpoint: async (data) => void written.push(data),
    register: async (kind, ref) => ({ id: '1', kind, ref }),
    release: () => Promise.reject(new PermanentError('not yours', { code: 'lease-lost' })),
  };
  const destination = { write: (line: string) => void lines.push(JSON.parse(line) as Record<string, unknown>) };
  const pool = new IsolatePool({
    start: (spec) => {
      const isolate = fakeIsolate(spec);
      made.push(isolate);
      queueMicrotask(() => isolate.report({ type: 'ready' }));
      return isolate;
    },
    ...{ startsMax: 2, startMs: 5_000, idleMs: 60_000, idleMax: 2, onLoss: () => undefined },
  });
  const logger = createLogger({ level: 'info', format: 'json', role: 'worker', destination });
  const run = new IsolatedRun({ pool, spec: SPEC, task: TASK, order: ORDER, desk, isLeased, graceMs, doubtGraceMs: 30, logger });
  await until(() => made[0] !== undefined && (made[0].orders.length > 0 || !isLeased()));
  return { run, pool, isolate: made[0]!, made, lines, written };
}

const returned = (json: string, key = ORDER.key, clean = true): Report => ({ type: 'returned', key, json, clean });

describe('IsolatedRun', () => {
  it('hands over the order and keeps a clean isolate for the next', async () => {
    const { run, pool, isolate } = await started();
    expect(isolate.orders).toEqual([ORDER]);
    isolate.report(returned('{"a":1}'));
    expect(await run.ending).toEqual({ kind: 'returned', value: { a: 1 } });
    expect(isolate.killed).toBe(false);
    expect(await pool.acquire(SPEC, new AbortController().signal)).toBe(isolate);
  });

  it('has no say any more in an isolate that it has given back', async () => {
    const { run, isolate, lines } = await started({ graceMs: 1 });
    isolate.report(returned('1'));
    await run.ending;
    run.stop('shutdown');
    run.stop('gone');
    isolate.onOutput?.({ stream: 'stdout', text: 'printed later' });
    expect([isolate.killed, isolate.warned, isolate.orders.length]).toEqual([false, false, 1]);
    expect(lines).toEqual([]);
  });

  it('hears nothing of another attempt, and nothing after the end', async () => {
    const { run, isolate, lines, written } = await started();
    isolate.report(returned('"old"', 't 2'));
    isolate.report({
      type: 'threw',
      key: 't 2',
      failure: { permanent: true, retryAfterMs: null, deferMs: null, code: 'c', message: 'm' },
      clean: true,
    });
    isolate.report({ type: 'asked', key: 't 2', ask: 1, wanted: { what: 'checkpoint', json: '"old"' } });
    isolate.report({ type: 'logged', key: 't 2', level: 'info', message: 'old', fields: '{}' });
    isolate.report({
      type: 'crashed',
      key: 't 2',
      failure: { permanent: false, retryAfterMs: null, deferMs: null, code: 'c', message: 'old' },
    });
    isolate.report(returned('"new"'));
    isolate.report({ type: 'asked', key: ORDER.key, ask: 2, wanted: { what: 'checkpoint', json: '"late"' } });
    isolate.report({ type: 'logged', key: ORDER.key, level: 'info', message: 'late', fields: '{}' });
    expect(await run.ending).toEqual({ kind: 'returned', value: 'new' });
    isolate.report({ type: 'asked', key: ORDER.key, ask: 3, wanted: { what: 'checkpoint', json: '"late"' } });
    expect(written).toEqual([]);
    expect(lines.map(({ msg }) => msg)).toEqual(['An error of an earlier attempt, which nobody caught, came late.']);
  });

  it('answers what the handler asks, refusals included', async () => {
    const { run, isolate, written } = await started();
    isolate.report({ type: 'asked', key: ORDER.key, ask: 1, wanted: { what: 'checkpoint', json: '{"page":1}' } });
    isolate.report({ type: 'asked', key: ORDER.key, ask: 2, wanted: { what: 'register', kind: 'lock', ref: 'a' } });
    isolate.report({ type: 'asked', key: ORDER.key, ask: 3, wanted: { what: 'release', id: '1' } });
    await until(() => isolate.orders.length === 4);
    expect(written).toEqual([{ page: 1 }]);
    expect(isolate.orders.slice(1).sort((a, b) => ('ask' in a && 'ask' in b ? a.ask - b.ask : 0))).toEqual([
      expect.objectContaining({ ask: 1, found: null, failure: null }),
      expect.objectContaining({ ask: 2, found: { id: '1', kind: 'lock', ref: 'a' }, failure: null }),
      expect.objectContaining({ ask: 3, found: null, failure: expect.objectContaining({ permanent: true, code: 'lease-lost' }) }),
    ]);
    isolate.report(returned('null'));
    await run.ending;
  });

  it('logs what the handler says with the ids of its task', async () => {
    const { run, isolate, lines } = await started();
    isolate.report({ type: 'logged', key: ORDER.key, level: 'warn', message: 'careful', fields: '{"page":1}' });
    isolate.onOutput?.({ stream: 'stdout', text: 'printed' });
    expect(lines).toEqual([
      expect.objectContaining({ level: 'warn', msg: 'careful', page: 1, taskId: 't', attempt: 3, tenant: 'acme', handler: 'n' }),
      expect.objectContaining({ level: 'info', text: 'printed', taskId: 't', attempt: 3 }),
    ]);
    isolate.report(returned('null'));
    await run.ending;
  });

  it.each([
    ['left something going', returned('1', ORDER.key, false), { kind: 'returned', value: 1 }],
    [
      'left an error that nobody caught',
      { type: 'crashed', key: ORDER.key, failure: { permanent: false, retryAfterMs: null, deferMs: null, code: 'c', message: 'm' } },
      { kind: 'threw', thrown: expect.objectContaining({ code: 'handler-crashed', retryable: true }) },
    ],
  ] as const)('ends the isolate of a handler that %s before it tells the ending', async (_, report, ending) => {
    const { run, isolate } = await started();
    isolate.survives = true;
    let told = false;
    void run.ending.then(() => {
      told = true;
    });
    isolate.report(report);
    await until(() => isolate.killed);
    expect(told).toBe(false);
    isolate.exit({ signal: 'SIGKILL' });
    expect(await run.ending).toEqual(ending);
    expect(run.leftover).toBeNull();
  });

  it('fails the attempt, and ends the isolate, where it says what nobody can read', async () => {
    const { run, isolate } = await started();
    isolate.report(UNREADABLE);
    expect(await run.ending).toMatchObject({ kind: 'threw', thrown: { code: 'handler-crashed', retryable: true } });
    expect(isolate.killed).toBe(true);
  });

  it('survives a report that it cannot make anything of', async () => {
    const { run, isolate } = await started();
    isolate.report({ type: 'logged', key: ORDER.key, level: 'info', message: 'm', fields: '{' });
    expect(await run.ending).toMatchObject({ kind: 'threw', thrown: { code: 'handler-crashed' } });
    expect(isolate.killed).toBe(true);
  });

  it('ends an isolate whose output does not come to its end, for the next attempt would be shown it', async () => {
    const { run, isolate, lines } = await started();
    isolate.mute = true;
    isolate.report(returned('1'));
    isolate.onOutput?.({ stream: 'stdout', text: 'printed last' });
    expect(await run.ending).toEqual({ kind: 'returned', value: 1 });
    expect(isolate.killed).toBe(true);
    expect(lines).toEqual([expect.objectContaining({ text: 'printed last', taskId: 't' })]);
  });

  it('does not wait for the output of an isolate that is told to stop meanwhile', async () => {
    const { run, isolate } = await started();
    isolate.mute = true;
    isolate.report(returned('1'));
    run.stop('gone');
    expect(isolate.killed).toBe(true);
    expect(await run.ending).toEqual({ kind: 'returned', value: 1 });
  });

  it.each([
    [{ code: 3 }, 'handler-exited', /exit code 3/],
    [{ signal: 'SIGSEGV' }, 'handler-exited', /signal SIGSEGV/],
    [{ signal: 'SIGABRT', outOfMemory: true }, 'handler-out-of-memory', /64 MiB/],
  ])('says how an isolate ended that nobody had told to: %j', async (exit, code, message) => {
    const { run, isolate } = await started();
    isolate.exit(exit);
    expect(await run.ending).toMatchObject({ kind: 'threw', thrown: { code, message: expect.stringMatching(message) } });
  });

  it('tells the handler to stop, warns it, and ends it when its grace is over', async () => {
    const { run, isolate } = await started({ graceMs: 60 });
    run.stop('timeout');
    expect(isolate.orders.at(-1)).toEqual({ type: 'abort', key: ORDER.key, reason: 'timeout' });
    expect(await run.ending).toEqual({ kind: 'killed' });
    expect([isolate.warned, isolate.killed]).toEqual([true, true]);
  });

  it('takes what a handler returns after it was told to stop, and ends its isolate all the same', async () => {
    const { run, isolate } = await started();
    run.stop('shutdown');
    isolate.report(returned('"in time"'));
    expect(await run.ending).toEqual({ kind: 'returned', value: 'in time' });
    expect(isolate.killed).toBe(true);
  });

  it('ends it at once when the lease is lost, also in the middle of its grace', async () => {
    const { run, isolate } = await started();
    run.stop('cancel');
    expect(isolate.killed).toBe(false);
    run.stop('gone');
    expect(isolate.killed).toBe(true);
    expect(await run.ending).toEqual({ kind: 'killed' });
  });

  it('gives it only what is left of a lease in doubt, also when the doubt comes later', async () => {
    let leased = true;
    const { run, isolate } = await started({ isLeased: () => leased });
    run.stop('cancel');
    leased = false;
    run.stop('shutdown');
    expect(await run.ending).toEqual({ kind: 'killed' });
    expect(isolate.orders.filter(({ type }) => type === 'abort')).toHaveLength(1);
  });

  it('says so where an isolate cannot be ended', async () => {
    const { run, isolate } = await started();
    isolate.survives = true;
    run.stop('gone');
    expect(await run.ending).toEqual({ kind: 'killed' });
    let over = false;
    void run.leftover?.then(() => {
      over = true;
    });
    expect(run.leftover).not.toBeNull();
    isolate.exit({ code: 1 });
    await until(() => over);
  });

  it('does not begin while the lease is in doubt', async () => {
    let leased = false;
    const { run, isolate } = await started({ isLeased: () => leased });
    await until(() => isolate.onReport !== null || isolate.orders.length === 0);
    expect(isolate.orders).toEqual([]);
    leased = true;
    await until(() => isolate.orders.length === 1);
    isolate.report(returned('1'));
    await run.ending;
  });
});

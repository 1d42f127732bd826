import { createHash } from 'node:crypto';
import { afterEach, describe, expect, it, jest } from '@jest/globals';
import { describeFailure, HandlerRegistry, type TaskContext } from '@app/handlers';
import { builtinHandlers, type HandlersConfig } from './builtin-handlers.js';
import { heartbeat } from './heartbeat.js';

const config: HandlersConfig = {
  processRunAllow: [],
  processRunDirectories: [],
  processRunEnvAllow: [],
  workerAbortGraceMs: 1_000,
  workerLeaseMs: 15_000,
  resultMaxBytes: 10_000,
};
const registry = new HandlerRegistry();
for (const definition of builtinHandlers(config)) registry.register(definition, 'the program itself');

async function run(name: string, payload: unknown, signal: AbortSignal = new AbortController().signal): Promise<unknown> {
  return registry.get(name)?.run(payload, { signal } as TaskContext);
}

async function failure(name: string, payload: unknown): Promise<unknown> {
  return run(name, payload).then(() => undefined, describeFailure);
}

afterEach(() => {
  jest.useRealTimers();
});

describe('built-in handlers', () => {
  it('are these', () => {
    expect(registry.names()).toEqual(['echo', 'heartbeat', 'sha256', 'sleep']);
  });

  it('are joined by process.run where there is a list of programs', () => {
    const names = builtinHandlers({ ...config, processRunAllow: ['/bin/true'] }).map(({ name }) => name);
    expect(names).toEqual(['echo', 'sha256', 'heartbeat', 'sleep', 'process.run']);
  });

  it('echo returns its payload', async () => {
    const payload = { a: [1, 'x', null] };
    expect(await run('echo', payload)).toBe(payload);
  });

  it('sha256 digests a text, alone or as { text }', async () => {
    const digest = createHash('sha256').update('grüezi').digest('hex');
    expect(await run('sha256', 'grüezi')).toEqual({ digest });
    expect(await run('sha256', { text: 'grüezi' })).toEqual({ digest });
  });

  it.each([[null], [5], [{}], [{ text: 5 }], [{ text: 'a', more: 1 }], [['a']]])('sha256 fails for good on %j', async (payload) => {
    expect(await failure('sha256', payload)).toMatchObject({ permanent: true, code: 'invalid-payload' });
  });

  it('heartbeat tells the time of its clock', async () => {
    const { run: beat } = heartbeat({ now: () => 0, monotonic: () => 0 });
    expect(await beat(null, {} as TaskContext)).toEqual({ at: '1970-01-01T00:00:00.000Z' });
    expect(await run('heartbeat', null)).toEqual({ at: expect.stringMatching(/^\d{4}-.*Z$/) });
  });

  it('sleep waits as long as it was told', async () => {
    jest.useFakeTimers();
    const ended = jest.fn();
    const sleeping = run('sleep', { ms: 5_000 }).then(ended);
    await jest.advanceTimersByTimeAsync(4_999);
    expect(ended).not.toHaveBeenCalled();
    await jest.advanceTimersByTimeAsync(1);
    await sleeping;
    expect(ended).toHaveBeenCalledWith({ sleptMs: 5_000 });
  });

  it('sleep stops at an abort with its reason, and leaves no timer behind', async () => {
    jest.useFakeTimers();
    const controller = new AbortController();
    const reason = new Error('cancelled');
    const sleeping = run('sleep', { ms: 86_400_000 }, controller.signal);
    controller.abort(reason);
    await expect(sleeping).rejects.toBe(reason);
    await expect(run('sleep', { ms: 10 }, controller.signal)).rejects.toBe(reason);
    expect(jest.getTimerCount()).toBe(0);
  });

  it.each([[null], [5], [{}], [{ ms: '5' }], [{ ms: -1 }], [{ ms: 1.5 }], [{ ms: 86_400_001 }], [{ ms: 1, more: 1 }]])(
    'sleep fails for good on %j',
    async (payload) => {
      expect(await failure('sleep', payload)).toMatchObject({ permanent: true, code: 'invalid-payload' });
    },
  );
});

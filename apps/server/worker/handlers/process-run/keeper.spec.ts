import type { ChildProcess } from 'node:child_process';
import { EventEmitter } from 'node:events';
import { describe, expect, it } from '@jest/globals';
import { Keeper } from './keeper.js';
import type { ProgramEnd, ProgramOrder, ToKeeper } from './messages.js';

const ORDER: ProgramOrder = { program: '/bin/true', args: [], cwd: '/', env: {}, stdin: null, outputTailBytes: 1, killAfterMs: 1 };
const END: ProgramEnd = { exitCode: 0, signal: null, durationMs: 1, stdoutTail: '', stderrTail: '' };
const never = new AbortController().signal;

/** A keeper process that was not started. Without file descriptors it has no channel; without room for processes it has a dead one. */
function failedFork(code: string, channel: boolean): () => ChildProcess {
  return () => {
    const child = Object.assign(new EventEmitter(), { unref: () => undefined, ...(channel ? { send: () => true } : {}) });
    process.nextTick(() => child.emit('error', Object.assign(new Error(`spawn node ${code}`), { code })));
    return child as unknown as ChildProcess;
  };
}

/** One that runs every program at once. */
function goodFork(): ChildProcess {
  const child = Object.assign(new EventEmitter(), {
    pid: 1,
    unref: () => undefined,
    send: (message: ToKeeper) => process.nextTick(() => child.emit('message', { kind: 'ended', run: message.run, end: END })),
  });
  return child as unknown as ChildProcess;
}

function thrown(code: string): never {
  throw Object.assign(new Error(code), { code });
}

describe('Keeper', () => {
  it.each([
    ['no file descriptor is left', failedFork('EMFILE', false)],
    ['no process may be added', failedFork('EAGAIN', true)],
    ['the platform throws', () => thrown('ENOMEM')],
    ['its own program cannot be found', failedFork('ENOENT', true)],
  ])('refuses what waits where %s, and starts with the next program', async (_, fail) => {
    const forks: (() => ChildProcess)[] = [fail, goodFork];
    const keeper = new Keeper(1_000, () => (forks.length > 1 ? forks.shift()! : forks[0]!)());
    const runs = await Promise.allSettled([keeper.run(ORDER, never)]);
    expect(runs).toEqual([{ status: 'rejected', reason: expect.objectContaining({ code: 'process-not-started', retryable: true }) }]);
    expect(await keeper.run(ORDER, never)).toEqual(END);
  });

  it('refuses all that wait for the same start', async () => {
    const keeper = new Keeper(1_000, failedFork('EMFILE', false));
    const stop = new AbortController();
    const runs = [keeper.run(ORDER, stop.signal), keeper.run(ORDER, never)];
    stop.abort();
    for (const run of runs) await expect(run).rejects.toMatchObject({ code: 'process-not-started' });
  });
});

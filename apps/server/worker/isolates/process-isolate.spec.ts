import { EventEmitter } from 'node:events';
import type { ChildProcess } from 'node:child_process';
import { describe, expect, it } from '@jest/globals';
import { IsolatePool } from './isolate-pool.js';
import type { IsolateSpec } from './isolate.js';
import { ProcessIsolate } from './process-isolate.js';

const SPEC: IsolateSpec = { kind: 'process', module: 'file:///a.mjs', memoryMb: 64 };
const START = { module: SPEC.module, memoryMb: 64, parentPid: process.pid, frozenMs: 1_000 };

/** What Node's fork returns where no file descriptor is left (EMFILE): no pid, no pipes, no channel, and an error soon after. */
function failedFork(): ChildProcess {
  const child = Object.assign(new EventEmitter(), { connected: false });
  process.nextTick(() => child.emit('error', Object.assign(new Error('spawn node EMFILE'), { code: 'EMFILE' })));
  return child as unknown as ChildProcess;
}

describe('ProcessIsolate', () => {
  it('has ended, and nothing else, where the machine gave it no process', async () => {
    const isolate = new ProcessIsolate(SPEC, START, {}, failedFork);
    isolate.send({ type: 'abort', key: 'k', reason: 'cancel' });
    isolate.warn();
    isolate.kill();
    expect(await isolate.exited).toEqual({ code: null, signal: null, outOfMemory: false, problem: expect.stringContaining('EMFILE') });
  });

  it('leaves nothing in the pool when it was not started', async () => {
    const pool = new IsolatePool({
      start: (spec) => new ProcessIsolate(spec, START, {}, failedFork),
      ...{ startsMax: 1, startMs: 5_000, idleMs: 1_000, idleMax: 1, onLoss: () => undefined },
    });
    const { signal } = new AbortController();
    for (const acquired of [pool.acquire(SPEC, signal), pool.acquire(SPEC, signal)]) {
      await expect(acquired).rejects.toMatchObject({
        code: 'isolate-not-started',
        message: 'The handler could not be started: The machine did not give it a process.',
      });
    }
    expect(pool.size).toBe(0);
  });
});

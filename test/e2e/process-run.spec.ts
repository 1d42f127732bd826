/**
 * Programs that tasks run: real scripts, watched by what they write. Whatever ends an attempt, nothing of its program goes on
 * afterwards: a timeout, a cancel, the death of the worker or of the process that keeps its programs.
 */
import { existsSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from '@jest/globals';
import { backends, type Backend } from '../support/backends.js';
import type { Client } from '../support/client.js';
import { useFleet } from '../support/fleet.js';
import { Installation } from '../support/installation.js';
import type { App } from '../support/process.js';
import { removeDirectory, temporaryDirectory } from '../support/reaper.js';
import { until } from '../support/until.js';

const ENV = {
  PROCESS_RUN_ALLOW: '/bin/sh,/bin/cat,/nowhere/at-all',
  PROCESS_RUN_ENV_ALLOW: 'LEVEL',
  WORKER_ABORT_GRACE_MS: '1500',
  WORKER_CANCEL_POLL_MS: '100',
  WORKER_POLL_MS: '200',
  WORKER_LEASE_MS: '3000',
  SCHEDULER_SWEEP_MS: '300',
};

/** What a worker says that stood still for longer than its lease. */
const STANDS_STILL = /^(This worker was declared lost|No heartbeat got through)/;

describe.each(backends())('process.run on $name', (backend: Backend) => {
  const directory = temporaryDirectory('process-run');
  const fleet = useFleet();
  let installation: Installation;
  let client: Client;

  beforeAll(async () => {
    installation = await Installation.start({ fleet, backend, handlersDir: directory, workers: 1, env: ENV });
    client = installation.client();
  }, 60_000);
  afterAll(() => {
    removeDirectory(directory);
  });

  const script = (name: string, text: string): string[] => {
    writeFileSync(join(directory, name), text);
    return [join(directory, name)];
  };
  const lines = (name: string): string[] =>
    existsSync(join(directory, name)) ? readFileSync(join(directory, name), 'utf8').split('\n').filter(Boolean) : [];
  const run = (payload: object, more: object = {}) =>
    client.submit({ name: 'process.run', payload: { program: '/bin/sh', ...payload }, maxAttempts: 1, ...more }, { waitSeconds: 30 });
  const still = async (name: string): Promise<void> => {
    const before = lines(name).length;
    await expect(until(() => lines(name).length > before, { deadlineMs: 500 })).rejects.toThrow('gave up');
  };

  it('reports exit code and output, and gives the program nothing of the worker’s', async () => {
    const args = script('speak.sh', 'echo "$1 $LEVEL"; cat; env >&2');
    const { state, result } = await run({ args: [...args, 'grüezi'], env: { LEVEL: '3' }, stdin: 'from stdin', cwd: directory });
    expect(state).toBe('succeeded');
    expect(result).toMatchObject({ exitCode: 0, signal: null, durationMs: expect.any(Number), stdoutTail: 'grüezi 3\nfrom stdin' });
    const { stderrTail } = result as { stderrTail: string };
    expect(stderrTail).toMatch(/^TASK_ATTEMPT=1$/m);
    expect(stderrTail).not.toMatch(/AUTH_|DATABASE|HANDLERS/);
  });

  it.each([
    [{ program: '/bin/ls' }, 'program-not-allowed'],
    [{ shell: true }, 'invalid-payload'],
    [{ env: { LD_PRELOAD: '/x' } }, 'variable-not-allowed'],
    [{ program: '/nowhere/at-all' }, 'program-not-found'],
    [{ cwd: '/nowhere' }, 'directory-not-found'],
  ])('refuses %j', async (payload, code) => {
    expect(await run(payload)).toMatchObject({ state: 'failed', lastError: { code } });
  });

  it('fails with exit code, signal and the end of stderr', async () => {
    const failed = await run({ args: script('fail.sh', 'echo no such table >&2; exit 3') });
    const message = expect.stringMatching(/exit code 3.*no such table/);
    expect(failed).toMatchObject({ state: 'failed', reason: 'attempts_exhausted', lastError: { code: 'process-failed', message } });
    const killed = await run({ args: script('crash.sh', 'kill -SEGV $$') });
    expect(killed.lastError).toMatchObject({ code: 'process-killed', message: expect.stringContaining('SIGSEGV') });
  });

  it('kills at the timeout what ignores SIGTERM, with everything it started', async () => {
    const tick = (name: string): string => `while :; do echo tick >> ${join(directory, name)}; sleep 0.05; done`;
    const args = script('deaf.sh', `trap '' TERM; echo last words >&2; (${tick('deaf-child')}) & ${tick('deaf')}`);
    const ended = await run({ args }, { timeoutMs: 1_000 });
    const message = expect.stringMatching(/ran longer than 1000 ms.*SIGKILL.*last words/);
    expect(ended).toMatchObject({ state: 'failed', lastError: { code: 'timeout', message } });
    expect(await client.attempts(ended.id)).toMatchObject([{ outcome: 'timed_out' }]);
    expect(lines('deaf-child').length).toBeGreaterThan(2);
    await still('deaf');
    await still('deaf-child');
    // The slot is free at once: nothing was left running.
    expect(installation.workers[0]?.logs().some(({ msg }) => msg.startsWith('A handler ignores'))).toBe(false);
  }, 60_000);

  it('stops at a cancel', async () => {
    const args = script('long.sh', `while :; do echo tick >> ${join(directory, 'long')}; sleep 0.05; done`);
    const { id } = await client.submit({ name: 'process.run', payload: { program: '/bin/sh', args } });
    await until(() => lines('long').length > 0, { what: 'the first tick' });
    await client.cancel(id);
    expect(await client.finished(id)).toMatchObject({ state: 'cancelled' });
    await still('long');
  }, 60_000);

  it('goes on with a new keeper when the keeper of the programs is killed', async () => {
    const file = join(directory, 'kept');
    const args = script('kept.sh', `if [ "$TASK_ATTEMPT" = 2 ]; then exit 0; fi; while :; do echo $PPID >> ${file}; sleep 0.05; done`);
    const { id } = await client.submit({ name: 'process.run', payload: { program: '/bin/sh', args }, maxAttempts: 2 });
    const keeper = await until(() => lines('kept')[0], { what: 'the first tick' });
    process.kill(Number(keeper), 'SIGKILL');
    expect(await client.finished(id)).toMatchObject({ state: 'succeeded', attempt: 2, failures: 1 });
    expect((await client.attempts(id))[0]).toMatchObject({ error: { code: 'process-keeper-lost' } });
    await still('kept');
  }, 60_000);

  it('does not outlive its worker, and not the lease of one that stands still', async () => {
    const endings = ['SIGKILL', 'SIGSTOP'] as const;
    let worker = installation.workers[0]!;
    for (const signal of backend.name === 'sqlite' ? endings.slice(0, 1) : endings) worker = await outlived(worker, signal);
  }, 120_000);

  /** Returns the worker that took over. One file, one process: with SQLite nobody can take over from one that stands still. */
  async function outlived(worker: App, signal: 'SIGKILL' | 'SIGSTOP'): Promise<App> {
    const name = `orphan-${signal}`;
    const file = join(directory, name);
    const tick = `while :; do echo $TASK_ATTEMPT >> ${file}; sleep 0.02; done`;
    const args = script(
      `${name}.sh`,
      `trap '' TERM; if [ "$TASK_ATTEMPT" = 2 ]; then echo 2 >> ${file}; sleep 0.5; exit 0; fi; (${tick}) & ${tick}`,
    );
    const { id } = await client.submit({ name: 'process.run', payload: { program: '/bin/sh', args } });
    await until(() => lines(name).length > 4, { what: 'some ticks' });
    worker.kill(signal);
    const successor = await installation.addWorker(({ msg }) => STANDS_STILL.test(msg));
    const after = backend.name === 'sqlite' ? installation.clientOf(successor) : client;
    expect(await after.finished(id, 30_000)).toMatchObject({ state: 'succeeded', attempt: 2, crashes: 1 });
    if (signal === 'SIGSTOP') {
      worker.kill('SIGCONT');
      await worker.waitForLine(({ msg }) => msg.startsWith('This worker was declared lost'));
    }
    // Not one tick of the first attempt came after the second had begun.
    expect(lines(name).filter((line) => line === '2')).toHaveLength(1);
    expect(lines(name).at(-1)).toBe('2');
    return successor;
  }
});

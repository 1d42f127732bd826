import { mkdtempSync, realpathSync, rmSync, symlinkSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from '@jest/globals';
import { describeFailure, type TaskContext } from '@app/handlers';
import { NotStarted } from './keeper.js';
import type { ProgramEnd, ProgramOrder } from './messages.js';
import { processRun } from './process-run.js';

const END: ProgramEnd = { exitCode: 0, signal: null, durationMs: 12, stdoutTail: 'out', stderrTail: '' };
const LIMITS = { programs: ['/bin/true'], variables: ['LEVEL'], abortGraceMs: 5_000 };

describe('process.run', () => {
  let directory = '';
  beforeAll(() => {
    directory = realpathSync(mkdtempSync(join(tmpdir(), 'process-run-')));
  });
  afterAll(() => {
    rmSync(directory, { recursive: true });
  });

  let order: ProgramOrder | null = null;
  async function run(
    more: object,
    end: Partial<ProgramEnd> | Error = {},
    { directories = [] as string[], aborted = false, resultBytesMax = 10_000, leaseMs = 60_000 } = {},
  ) {
    const keeper = {
      run: (given: ProgramOrder) => {
        order = given;
        if (aborted) controller.abort();
        return end instanceof Error ? Promise.reject(end) : Promise.resolve({ ...END, ...end });
      },
    };
    const controller = new AbortController();
    const context = { id: 'the-id', attempt: 2, signal: controller.signal } as TaskContext;
    const handler = processRun({ ...LIMITS, directories, resultBytesMax, leaseMs }, keeper);
    return handler.run({ program: '/bin/true', ...more }, context);
  }
  const failure = async (...parameters: Parameters<typeof run>): Promise<unknown> =>
    run(...parameters).then((value) => ({ value }), describeFailure);

  it('orders the program with an environment of its own', async () => {
    expect(await run({ args: ['a'], env: { LEVEL: '1' }, stdin: 'x' })).toEqual(END);
    expect(order).toEqual({
      program: '/bin/true',
      args: ['a'],
      cwd: tmpdir(),
      env: { PATH: expect.any(String), LANG: 'C.UTF-8', TASK_ID: 'the-id', TASK_ATTEMPT: '2', LEVEL: '1' },
      stdin: 'x',
      outputTailBytes: 8_192,
      killAfterMs: 3_000,
    });
  });

  it('kills before a lease in doubt is over, however long the grace', async () => {
    await run({}, {}, { leaseMs: 15_000 });
    expect(order?.killAfterMs).toBe(1_500);
    await run({}, {}, { leaseMs: 60_000 });
    expect(order?.killAfterMs).toBe(3_000);
  });

  it('fails with what the program left behind', async () => {
    const failed = await failure({}, { exitCode: 3, stderrTail: `${'x'.repeat(5_000)}the reason\n` });
    expect(failed).toMatchObject({
      permanent: false,
      code: 'process-failed',
      message: expect.stringMatching(/exit code 3.*stderr.*the reason$/),
    });
    const killed = await failure({}, { exitCode: null, signal: 'SIGSEGV' });
    expect(killed).toMatchObject({ permanent: false, code: 'process-killed', message: expect.stringMatching(/SIGSEGV.*stdout: out$/) });
    expect(await failure({}, { exitCode: 1, stdoutTail: '' })).toMatchObject({ message: expect.stringMatching(/It wrote nothing\.$/) });
  });

  it('takes no exit code for success where the program was told to stop', async () => {
    expect(await failure({}, {}, { aborted: true })).toMatchObject({ permanent: false, code: 'process-stopped' });
  });

  it.each([
    ['ENOENT', 'program-not-found'],
    ['EACCES', 'program-not-executable'],
    ['EAGAIN', 'process-not-started'],
  ])('may be tried again elsewhere after %s', async (reason, code) => {
    expect(await failure({}, new NotStarted(reason))).toMatchObject({ permanent: false, code });
  });

  it('shortens the tails until the result can be stored', async () => {
    const wide = await run({}, { stdoutTail: '😀'.repeat(1_001), stderrTail: '\u0000'.repeat(3_000) }, { resultBytesMax: 2_000 });
    const text = JSON.stringify(wide);
    expect(Buffer.byteLength(text)).toBeLessThanOrEqual(2_000);
    expect(text).not.toMatch(/\\ud[89a-f]/);
    expect((wide as ProgramEnd).stdoutTail).toMatch(/😀$/u);
  });

  it('keeps the working directory in the folders of the operator, through links as well', async () => {
    symlinkSync('/', join(directory, 'out'));
    const directories = [directory];
    await run({ cwd: directory }, {}, { directories });
    expect(order?.cwd).toBe(directory);
    for (const cwd of ['/', join(directory, 'out')]) {
      expect(await failure({ cwd }, {}, { directories })).toMatchObject({ permanent: true, code: 'directory-not-allowed' });
    }
    expect(await failure({ cwd: join(directory, 'none') })).toMatchObject({ permanent: false, code: 'directory-not-found' });
  });
});

/** Real programs in groups of their own: what is reported of them, and that nothing of them goes on after their end was told. */
import { existsSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { afterAll, describe, expect, it } from '@jest/globals';
import { Program } from '../../../apps/server/worker/handlers/process-run/program.js';
import { removeDirectory, temporaryDirectory } from '../../support/reaper.js';
import { until } from '../../support/until.js';

describe('a program', () => {
  const directory = temporaryDirectory('program');
  afterAll(() => {
    removeDirectory(directory);
  });

  const start = (script: string, more: object = {}): Program => {
    writeFileSync(join(directory, 'script.sh'), script);
    const order = { program: '/bin/sh', args: [join(directory, 'script.sh')], cwd: directory, env: { PATH: '/usr/bin:/bin' }, stdin: null };
    return new Program({ ...order, outputTailBytes: 64, killAfterMs: 300, ...more });
  };
  const said = (name: string): string => (existsSync(join(directory, name)) ? readFileSync(join(directory, name), 'utf8') : '');
  /** Writes to the file for ever. */
  const ticking = (name: string): string => `while :; do echo tick >> ${join(directory, name)}; sleep 0.05; done`;

  /** Long enough for several ticks; the file must not have grown. */
  async function isStill(name: string): Promise<boolean> {
    const before = said(name);
    await expect(until(() => said(name) !== before, { deadlineMs: 400 })).rejects.toThrow('gave up');
    return true;
  }

  it('reports its exit code and the end of what it wrote', async () => {
    const end = await start('echo out; cat; echo err >&2; exit 7', { stdin: 'from stdin\n' }).ended;
    expect(end).toMatchObject({ exitCode: 7, signal: null, stdoutTail: 'out\nfrom stdin\n', stderrTail: 'err\n' });
  });

  it('keeps a bounded tail of what is unbounded', async () => {
    const { stdoutTail } = await start('head -c 5000000 /dev/zero | tr "\\0" x; echo; echo the end').ended;
    expect(stdoutTail).toHaveLength(64);
    expect(stdoutTail).toMatch(/^x+\nthe end\n$/);
  });

  it('that does not read its input ends all the same', async () => {
    expect(await start('exit 0', { stdin: 'x'.repeat(1_000_000) }).ended).toMatchObject({ exitCode: 0 });
  });

  it('ends at SIGTERM, with time to clean up', async () => {
    const program = start(`trap 'echo cleaned; exit 5' TERM; ${ticking('polite')}`);
    await until(() => said('polite') !== '', { what: 'the first tick' });
    program.stop();
    expect(await program.ended).toMatchObject({ exitCode: 5, stdoutTail: 'cleaned\n' });
  });

  it('that ignores SIGTERM is killed', async () => {
    const program = start(`trap '' TERM; ${ticking('deaf')}`);
    await until(() => said('deaf') !== '', { what: 'the first tick' });
    program.stop();
    expect(await program.ended).toMatchObject({ exitCode: null, signal: 'SIGKILL' });
    expect(await isStill('deaf')).toBe(true);
  });

  it('takes its whole group along', async () => {
    const program = start(`(trap '' TERM; ${ticking('grandchild')}) & ${ticking('child')}`);
    await until(() => said('grandchild') !== '' && said('child') !== '', { what: 'both to tick' });
    program.stop();
    expect(await program.ended).toMatchObject({ signal: 'SIGTERM' });
    expect(await isStill('grandchild')).toBe(true);
  });

  it('leaves nobody behind when it ends by itself, though they hold its output open', async () => {
    const program = start(`(${ticking('left')}) & while [ ! -s ${join(directory, 'left')} ]; do sleep 0.01; done; echo done`);
    expect(await program.ended).toMatchObject({ exitCode: 0, stdoutTail: 'done\n' });
    expect(said('left')).not.toBe('');
    expect(await isStill('left')).toBe(true);
  });

  it('leaves no daemon behind that has made a session of its own', async () => {
    const daemon = `setsid sh -c '${ticking('daemon')}'`;
    const program = start(`${daemon} & while [ ! -s ${join(directory, 'daemon')} ]; do sleep 0.01; done; echo done`);
    expect(await program.ended).toMatchObject({ exitCode: 0 });
    expect(await isStill('daemon')).toBe(true);
  });

  it('that is not there is refused', async () => {
    await expect(start('', { program: join(directory, 'none') }).ended).rejects.toMatchObject({ code: 'ENOENT' });
  });
});

/** The part of the harness that runs programs, tried on small programs that behave well and badly. */
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { existsSync, readdirSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { afterAll, describe, expect, it } from '@jest/globals';
import { Fleet } from '../support/fleet.js';
import { removeDirectory, temporaryDirectory } from '../support/reaper.js';
import { until, within } from '../support/until.js';

const folder = temporaryDirectory('programs');
afterAll(() => {
  removeDirectory(folder);
});

function program(name: string, body: string): string {
  const path = join(folder, `${name}.mjs`);
  writeFileSync(path, `const log = (level, msg, more) => console.log(JSON.stringify({ level, msg, ...more }));\n${body}`);
  return path;
}

const server = program(
  'server',
  `import { createServer } from 'node:http';
   let calls = 0;
   const http = createServer((request, response) => {
     calls += 1;
     response.statusCode = request.url === '/health/ready' && calls > 2 ? 200 : 503;
     response.end();
   });
   http.listen(Number(process.env.PORT), '127.0.0.1', () => log('info', 'listening', { port: http.address().port, environment: Object.keys(process.env) }));
   process.once('SIGTERM', () => { http.close(); http.closeAllConnections(); log('info', 'stopped'); });`,
);
const crash = program('crash', `log('fatal', 'cannot start'); console.error('the reason'); process.exit(3);`);
const stubborn = program('stubborn', `process.on('SIGTERM', () => {}); setInterval(() => {}, 1e6); log('info', 'deaf');`);

describe('a process of the fleet', () => {
  it('is ready once it says so, sees only the given environment, and stops in order', async () => {
    const fleet = new Fleet();
    const app = await fleet.start({ program: server, env: { GIVEN: 'yes' } });
    const listening = app.logs().find((line) => line.msg === 'listening');
    expect(new Set(listening?.['environment'] as string[])).toEqual(new Set(['PATH', 'PORT', 'GIVEN']));
    expect(app.port).toBe(listening?.['port']);
    expect(await app.stop()).toEqual({ code: 0, signal: null });
    expect(app.logs().at(-1)?.msg).toBe('stopped');
    await fleet.close();
  });

  it('that ends before it is ready fails the wait with its last words', async () => {
    const fleet = new Fleet();
    const app = fleet.spawn({ program: crash, env: {}, expectErrors: true });
    await expect(app.waitForReady()).rejects.toThrow(/ended \(3\)[^]*cannot start[^]*the reason/);
    await fleet.close();
  });

  it('that logs an error by surprise fails its suite', async () => {
    const fleet = new Fleet();
    await fleet.spawn({ program: crash, env: {} }).exited;
    await expect(fleet.close()).rejects.toThrow('cannot start');
  });

  it('that does not stop in time is killed, and the wait fails', async () => {
    const fleet = new Fleet();
    const app = fleet.spawn({ program: stubborn, env: {} });
    await app.waitForLine((line) => line.msg === 'deaf');
    await expect(app.stop(100)).rejects.toThrow('to stop after SIGTERM');
    expect(await app.exited).toEqual({ code: null, signal: 'SIGKILL' });
    await fleet.close();
  });

  it('is killed with its fleet', async () => {
    const fleet = new Fleet();
    const app = fleet.spawn({ program: stubborn, env: {} });
    await app.waitForLine((line) => line.msg === 'deaf');
    await fleet.close();
    expect(app.isRunning).toBe(false);
  });
});

describe('a temporary directory', () => {
  it('is removed although a process that is about to end still writes into it', async () => {
    const busy = temporaryDirectory('busy');
    const path = program(
      'writer',
      `import { writeFileSync } from 'node:fs';
       const end = Date.now() + 700;
       for (let n = 0; Date.now() < end; n += 1) { try { writeFileSync(process.argv[2] + '/' + n, 'x'); } catch { /* it is gone */ } }`,
    );
    const writer = spawn(process.execPath, [path, busy], { stdio: 'ignore' });
    await until(() => readdirSync(busy).length > 5, { what: 'it to write' });
    removeDirectory(busy);
    expect(existsSync(busy)).toBe(false);
    await within(once(writer, 'exit'), 10_000, 'it to end');
  });
});

describe('waiting', () => {
  it('returns the first answer that is one', async () => {
    const answers = [null, false, undefined, 0];
    expect(await until(() => answers.shift(), { everyMs: 1 })).toBe(0);
  });

  it('fails with what was waited for and the last error', async () => {
    const condition = (): never => {
      throw new Error('not there');
    };
    await expect(until(condition, { deadlineMs: 5, everyMs: 1, what: 'the file' })).rejects.toThrow(/waiting for the file; .* not there/);
  });

  it('gives up on a promise that never settles', async () => {
    await expect(within(new Promise(() => undefined), 5, 'nothing')).rejects.toThrow('waiting for nothing');
  });
});

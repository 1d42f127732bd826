/**
 * The first minutes of a newcomer, as a check: `npm start` with nothing but a fresh SQLite file, a token from `npm run --silent
 * token`, one task over REST that must succeed, and SIGTERM, after which everything must have ended with 0.
 */
import { spawn, execFileSync } from 'node:child_process';
import { once } from 'node:events';
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join, resolve } from 'node:path';
import { createInterface } from 'node:readline';
import { setTimeout as pause } from 'node:timers/promises';

const DEADLINE_MS = 120_000;
const root = resolve(import.meta.dirname, '../..');
const folder = mkdtempSync(join(tmpdir(), 'taskrunnerx-smoke-'));
const env = { ...process.env, DATABASE_URL: `sqlite:${join(folder, 'smoke.db')}`, PORT: '0', LOG_FORMAT: 'json' };
for (const name of Object.keys(env)) if (/^(ROLE|REDIS_|AUTH_|TEST_)/.test(name)) delete env[name];

const giveUp = setTimeout(() => {
  console.error(`smoke: FAILED: not done after ${DEADLINE_MS} ms`);
  end(1);
}, DEADLINE_MS);

const server = spawn('npm', ['start', '--silent'], { cwd: root, env, stdio: ['ignore', 'pipe', 'inherit'], detached: true });
const output = [];
const listening = new Promise((found, failed) => {
  createInterface({ input: server.stdout }).on('line', (text) => {
    output.push(text);
    const line = parse(text);
    if (line?.msg === 'listening') found(line);
  });
  server.once('exit', (code, signal) => failed(new Error(`npm start ended early with ${code ?? signal}`)));
});

try {
  const { port, pid } = await listening;
  const token = execFileSync('npm', ['run', '--silent', 'token'], { cwd: root, env, encoding: 'utf8' }).trim();
  check(/^[\w-]+\.[\w-]+\.[\w-]+$/.test(token), 'npm run --silent token prints a token and nothing else');

  const api = `http://127.0.0.1:${port}/api/tasks`;
  const headers = { authorization: `Bearer ${token}`, 'content-type': 'application/json' };
  const payload = { hello: 'smoke' };
  const submitted = await fetch(api, { method: 'POST', headers, body: JSON.stringify({ name: 'echo', payload }) });
  check(submitted.status === 201, `a submission is answered with 201, not ${submitted.status}`);
  const { id } = await submitted.json();

  let task;
  do {
    await pause(50);
    task = await (await fetch(`${api}/${id}`, { headers })).json();
  } while (!['succeeded', 'failed', 'cancelled', 'expired'].includes(task.state));
  check(task.state === 'succeeded', `the task succeeds: ${JSON.stringify(task)}`);
  check(JSON.stringify(task.result) === JSON.stringify(payload), `its result is its payload: ${JSON.stringify(task.result)}`);

  const exit = once(server, 'exit');
  process.kill(pid, 'SIGTERM');
  const [code, signal] = await exit;
  check(code === 0, `npm start ends with 0 after SIGTERM, not ${code ?? signal}`);
  const errors = output.filter((text) => ['error', 'fatal'].includes(parse(text)?.level));
  check(errors.length === 0, `no error is logged: ${errors.join('\n')}`);
  console.log('smoke: ok');
  end(0);
} catch (error) {
  console.error(`smoke: FAILED: ${error.message}\n${output.slice(-20).join('\n')}`);
  end(1);
}

function check(holds, what) {
  if (!holds) throw new Error(what);
}

function parse(text) {
  try {
    return JSON.parse(text);
  } catch {
    return null;
  }
}

/** Ends the whole process group of npm, so that nothing outlives a failed check. */
function end(status) {
  clearTimeout(giveUp);
  try {
    process.kill(-server.pid, 'SIGKILL');
  } catch {
    // It has ended by itself.
  }
  rmSync(folder, { recursive: true, force: true });
  process.exit(status);
}

/**
 * Handlers that misbehave in every way an isolate must stand, each as a thread and as a process, in a folder of the test's own.
 * Whoever goes on for longer writes ticks into a file, so that the test can tell until when it did.
 */
import { existsSync, mkdirSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';

export interface Tick {
  id: string;
  attempt: number;
  /** ms since the epoch */
  at: number;
}

export class IsolatedHandlers {
  /** For HANDLERS_DIR. */
  readonly handlersDir: string;
  private readonly file: string;

  constructor(directory: string) {
    this.handlersDir = join(directory, 'handlers');
    this.file = join(directory, 'ticks.txt');
    mkdirSync(this.handlersDir, { recursive: true });
    writeFileSync(join(this.handlersDir, 'isolated.mjs'), handlers(this.file));
    writeFileSync(join(this.handlersDir, 'slow.mjs'), slowToLoad());
  }

  /** In the order they were written. */
  ticks(id: string): Tick[] {
    if (!existsSync(this.file)) return [];
    return readFileSync(this.file, 'utf8')
      .split('\n')
      .filter((line) => line.startsWith('{') && line.endsWith('}'))
      .map((line) => JSON.parse(line) as Tick)
      .filter((tick) => tick.id === id);
  }
}

function handlers(file: string): string {
  return `
import { spawn } from 'node:child_process';
import { appendFileSync } from 'node:fs';
import { setTimeout as pause } from 'node:timers/promises';
import { parentPort, threadId } from 'node:worker_threads';

const file = ${JSON.stringify(file)};
const tick = (ctx) => appendFileSync(file, JSON.stringify({ id: ctx.id, attempt: ctx.attempt, at: Date.now() }) + '\\n');
const rest = (ms) => Atomics.wait(new Int32Array(new SharedArrayBuffer(4)), 0, 0, ms);
let uses = 0;

const work = {
  echo: (payload) => ({ payload, uses: (uses += 1), place: process.pid + '.' + threadId }),
  'deaf-loop': (payload, ctx) => { for (;;) { tick(ctx); rest(20); } },
  deaf: (payload, ctx) => new Promise(() => setInterval(tick, 20, ctx)),
  leaves: (payload, ctx) => { setInterval(tick, 10, ctx); return 'left'; },
  sleep: async (payload, ctx) => { tick(ctx); await pause(payload.ms, null, { signal: ctx.signal }); },
  polite: async (payload, ctx) => { tick(ctx); await pause(60_000, null, { signal: ctx.signal }).catch(() => ctx.logger.info('told', { reason: ctx.signal.reason.name })); return 'in time'; },
  exit: () => process.exit(3),
  grow: () => { const all = []; for (;;) all.push({ n: all.length, text: 'x' + all.length }); },
  float: async (payload, ctx) => { Promise.reject(new Error('nobody catches this')); await pause(30_000); },
  late: async () => { setTimeout(() => { throw new Error('thrown out of a timer'); }, 5); await pause(30_000); },
  nonsense: async () => { if (process.send) process.send(null); else parentPort.postMessage(null); await pause(30_000); },
  unfinished: (payload) => { process.stdout.write('printed by ' + payload); },
  permanent: () => { throw Object.assign(new Error('never'), { name: 'PermanentError', code: 'hopeless' }); },
  again: (payload, ctx) => { if (ctx.failures === 0) throw Object.assign(new Error('not yet'), { retryAfterMs: 30, code: 'later' }); return ctx.failures; },
  huge: () => 'x'.repeat(300 * 1024),
  bigint: () => ({ n: 1n }),
  env: () => process.env,
  talk: async (payload, ctx) => { ctx.logger.info('a line', { colour: 'blue', err: new Error('shown') }); console.log('printed'); console.error('complained'); await pause(50); },
  steps: async (payload, ctx) => {
    await ctx.progress(0.5, 'half');
    if (ctx.attempt === 1) { await ctx.checkpoint({ page: 7 }); ctx.snooze(20); }
    return { found: ctx.lastCheckpoint, failures: ctx.failures };
  },
  holds: async (payload, ctx) => {
    if (ctx.attempt === 1) { await ctx.registerResource('lock', 'door-1'); throw new Error('let go of it'); }
    const held = ctx.resources.map(({ kind, ref }) => kind + ' ' + ref);
    for (const resource of ctx.resources) await resource.release();
    return held;
  },
  bad: async (payload, ctx) => { await ctx.checkpoint('x'.repeat(70 * 1024)); },
};
const more = { retry: { maxAttempts: 2, backoff: 'fixed', baseMs: 20, jitter: 0 } };
const both = (isolation) => Object.entries(work).map(([name, run]) => ({ name: isolation + '.' + name, isolation, memoryMb: name === 'grow' ? 32 : 64, ...more, run, onAbandon() {} }));
const child = 'while :; do printf \\'{"id":"%s","attempt":%s,"at":%s}\\\\n\\' "$0" "$1" "$(date +%s%3N)" >> "$2"; sleep 0.03; done';

export default [
  ...both('thread'),
  ...both('process'),
  { name: 'process.spawns', isolation: 'process', ...more, run: (payload, ctx) => new Promise(() => { spawn('sh', ['-c', child, ctx.id, String(ctx.attempt), file], { stdio: 'ignore' }); }) },
  { name: 'process.spawns-and-exits', isolation: 'process', ...more, async run(payload, ctx) { spawn('sh', ['-c', child, ctx.id, String(ctx.attempt), file], { stdio: 'ignore' }); await pause(150); process.exit(0); } },
  { name: 'process.buffers', isolation: 'process', memoryMb: 16, ...more, run: () => { const all = []; for (;;) { all.push(Buffer.alloc(10_000_000, 1)); rest(10); } } },
  { name: 'plain.echo', run: (payload) => payload },
];
`;
}

/** Its thread never gets ready; the worker itself, which has loaded it before, does not mind. */
function slowToLoad(): string {
  return `
import { isMainThread } from 'node:worker_threads';
if (!isMainThread) await new Promise((resolve) => setTimeout(resolve, 600_000));
export default { name: 'thread.slow', isolation: 'thread', retry: { maxAttempts: 1 }, run: () => null };
`;
}

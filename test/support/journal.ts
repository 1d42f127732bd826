/**
 * Side effects that can be counted from outside: handlers in a folder of the test's own, each of which writes a line to a file
 * before it does anything else. What the file says happened, happened, whatever the system under test believes.
 */
import { existsSync, mkdirSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';

export interface JournalLine {
  id: string;
  name: string;
  attempt: number;
  /** Of the process that ran the handler. */
  pid: number;
  /** `end`: the handler returned; `start` alone: it threw, was stopped, or its process died. */
  what: 'start' | 'end';
}

export class Journal {
  /** For HANDLERS_DIR. */
  readonly handlersDir: string;
  private readonly file: string;

  constructor(directory: string) {
    this.handlersDir = join(directory, 'handlers');
    this.file = join(directory, 'journal.txt');
    mkdirSync(this.handlersDir, { recursive: true });
    writeFileSync(join(this.handlersDir, 'counted.mjs'), handlers(this.file));
  }

  lines(): JournalLine[] {
    if (!existsSync(this.file)) return [];
    return readFileSync(this.file, 'utf8')
      .split('\n')
      .filter((line) => line !== '')
      .map((line) => JSON.parse(line) as JournalLine);
  }

  /** Task id → how often its handler was started. */
  starts(): Map<string, number> {
    const counts = new Map<string, number>();
    for (const { id, what } of this.lines()) if (what === 'start') counts.set(id, (counts.get(id) ?? 0) + 1);
    return counts;
  }
}

/** The handlers, as a user would write them: plain objects, no import from the product. */
function handlers(file: string): string {
  return `
import { execFileSync } from 'node:child_process';
import { createHash } from 'node:crypto';
import { appendFileSync } from 'node:fs';
import { setTimeout as pause } from 'node:timers/promises';
const note = (ctx, what) => appendFileSync(${JSON.stringify(file)}, JSON.stringify({ id: ctx.id, name: ctx.name, attempt: ctx.attempt, pid: process.pid, what }) + '\\n');
const counted = (name, work, more = {}) => ({ name, ...more, async run(payload, ctx) { note(ctx, 'start'); const result = await work(payload, ctx); note(ctx, 'end'); return result; } });
export default [
  counted('counted.echo', (payload) => payload),
  counted('counted.sha256', (payload) => ({ digest: createHash('sha256').update(payload).digest('hex') })),
  counted('counted.flaky', (payload, ctx) => { if (ctx.failures < payload.failures) throw new Error('not yet'); return { failures: ctx.failures }; }, { retry: { maxAttempts: 10, backoff: 'fixed', baseMs: 20, jitter: 0 } }),
  counted('counted.hopeless', () => { throw Object.assign(new Error('never'), { retryable: false, code: 'hopeless' }); }),
  counted('counted.sleep', (payload, ctx) => pause(payload.ms, { slept: payload.ms }, { signal: ctx.signal })),
  counted('counted.steps', async (payload, ctx) => { for (let step = 1; step <= 4; step += 1) { await ctx.progress(step / 4, 'step ' + step); await pause(payload.ms, null, { signal: ctx.signal }); } return 'walked'; }),
  counted('counted.kill', () => process.kill(process.pid, 'SIGKILL')),
  counted('counted.burst', async (payload) => { setTimeout(() => { throw new Error('nobody catches this'); }, 0); await pause(payload.ms); }),
  counted('counted.float', async (payload) => { Promise.reject(new Error('nobody catches this')); await pause(payload.ms); }),
  counted('counted.late', (payload) => { void pause(payload.ms).then(() => { throw new Error('too late'); }); return 'done'; }),
  counted('counted.exit', async (payload, ctx) => { try { process.exit(7); } catch (error) { if (!payload.swallow) throw error; } await pause(payload.ms, null, { signal: ctx.signal }); }),
  counted('counted.exit-later', async (payload, ctx) => { setTimeout(() => process.exit(7), 0); await pause(payload.ms, null, { signal: ctx.signal }); }),
  counted('counted.spin', function spin(payload) { const until = performance.now() + payload.ms; let turns = 0; while (performance.now() < until) turns += 1; return { turns }; }),
  counted('counted.native', (payload) => execFileSync('sleep', [String(payload.ms / 1000)]).length),
  counted('counted.deaf', (payload) => pause(payload.ms, { slept: payload.ms })),
];
`;
}

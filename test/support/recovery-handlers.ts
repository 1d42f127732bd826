/**
 * Handlers that use what the platform offers for recovery, as a user would write them, and the journal of what they did: one line
 * per step, written before anything else happens, so that it tells the truth whatever process died.
 */
import { existsSync, mkdirSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';

export interface RecoveryLine {
  id: string;
  what: string;
  pid: number;
  [detail: string]: unknown;
}

export class RecoveryHandlers {
  /** For HANDLERS_DIR. */
  readonly handlersDir: string;
  private readonly file: string;
  private readonly directory: string;

  constructor(directory: string) {
    this.directory = directory;
    this.handlersDir = join(directory, 'handlers');
    this.file = join(directory, 'recovery.txt');
    mkdirSync(this.handlersDir, { recursive: true });
    writeFileSync(join(this.handlersDir, 'recovery.mjs'), handlers(this.file, directory));
  }

  /** What a task and its hooks did, in order. */
  linesOf(id: string): RecoveryLine[] {
    if (!existsSync(this.file)) return [];
    return readFileSync(this.file, 'utf8')
      .split('\n')
      .filter((line) => line !== '')
      .map((line) => JSON.parse(line) as RecoveryLine)
      .filter((line) => line.id === id);
  }

  /** Whether the thing outside of the system is there. */
  exists(ref: string): boolean {
    return existsSync(join(this.directory, ref));
  }
}

function handlers(file: string, directory: string): string {
  return `
import { appendFileSync, rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { setTimeout as pause } from 'node:timers/promises';
const note = (id, what, more = {}) => appendFileSync(${JSON.stringify(file)}, JSON.stringify({ id, what, pid: process.pid, ...more }) + '\\n');
const thing = (ref) => join(${JSON.stringify(directory)}, ref);
const permanent = (code) => Object.assign(new Error('never'), { retryable: false, code });
const hang = (ctx) => pause(600_000, null, { signal: ctx.signal });
export default [
  { name: 'recovery.steps', async run(payload, ctx) {
    for (let step = ctx.lastCheckpoint?.step ?? 0; step < 6; step += 1) {
      note(ctx.id, 'step', { step, attempt: ctx.attempt });
      await ctx.checkpoint({ step: step + 1 });
      if (step === 2 && ctx.attempt === 1) await hang(ctx);
    }
    return 'walked';
  } },
  { name: 'recovery.later', retry: { maxAttempts: 1 }, async run(payload, ctx) {
    const rounds = ctx.lastCheckpoint ?? 0;
    note(ctx.id, 'round', { rounds, failures: ctx.failures });
    if (rounds === payload.rounds) return rounds;
    await ctx.checkpoint(rounds + 1);
    ctx.snooze(payload.ms);
  } },
  { name: 'recovery.first', fallback: 'recovery.second', retry: { maxAttempts: 2, baseMs: 10, jitter: 0 }, run(payload, ctx) {
    note(ctx.id, 'first');
    throw Object.assign(new Error('first is through'), { code: 'first' });
  } },
  { name: 'recovery.second', fallback: 'recovery.third', async run(payload, ctx) {
    const lines = ctx.primaryError?.code;
    note(ctx.id, 'second', { primary: lines, attempt: ctx.attempt });
    if (ctx.attempt === 3) await hang(ctx);
    throw permanent('second');
  } },
  { name: 'recovery.third', run(payload, ctx) {
    note(ctx.id, 'third', { primary: ctx.primaryError?.code });
    return { payload, primary: ctx.primaryError };
  } },
  { name: 'recovery.leaky',
    async run(payload, ctx) {
      if (ctx.attempt === 1) {
        const ref = 'thing-' + ctx.id;
        await ctx.registerResource('file', ref);
        writeFileSync(thing(ref), '');
        note(ctx.id, 'made');
        await hang(ctx);
      }
      note(ctx.id, 'inherited', { refs: ctx.resources.map(({ ref }) => ref) });
      throw permanent('gave-up');
    },
    async onAbandon(resource, { signal }) {
      note(resource.taskId, 'hook', { tries: resource.tries, kind: resource.kind, tenant: resource.tenant });
      if (resource.tries < 2) throw new Error('not yet');
      if (resource.tries === 2) process.kill(process.pid, 'SIGKILL');
      rmSync(thing(resource.ref), { force: true });
    },
  },
];
`;
}

/**
 * The work of a campaign, written as a user would write it. Each step is a line in a journal that only ever grows, written in one
 * system call before anything else happens; and each task has one effect in a store of its own: a file named by the
 * idempotency token, which exists or does not. What stands there happened, whatever the system under test believes.
 */
import { closeSync, openSync, writeSync } from 'node:fs';
import { join } from 'node:path';
import { setTimeout as pause } from 'node:timers/promises';

const journal = openSync(process.env.CHAOS_JOURNAL, 'a');

/** The machine's monotonic clock in ms: the same in every process, and not moved by a process's own idea of the date. */
function clockMs() {
  const [seconds, nanoseconds] = process.hrtime();
  return seconds * 1e3 + nanoseconds / 1e6;
}

function note(payload, ctx, what, more = {}) {
  const line = { at: clockMs(), what, n: payload.n, id: ctx.id, attempt: ctx.attempt, pid: process.pid, wall: Date.now(), ...more };
  writeSync(journal, `${JSON.stringify(line)}\n`);
}

/** Applied once per token, as a receiver that honours it does. */
function applyEffect(payload, ctx) {
  let file;
  try {
    file = openSync(join(process.env.CHAOS_EFFECTS, ctx.idempotencyToken), 'wx');
  } catch (error) {
    if (error.code !== 'EEXIST') throw error;
    note(payload, ctx, 'found');
    return;
  }
  writeSync(file, String(payload.n));
  closeSync(file);
  note(payload, ctx, 'applied');
}

async function effectMidway(payload, ctx) {
  await pause(payload.ms / 2, null, { signal: ctx.signal });
  applyEffect(payload, ctx);
  await pause(payload.ms / 2, null, { signal: ctx.signal });
}

const WORK = {
  quick: applyEffect,
  sleeping: effectMidway,
  delayed: effectMidway,
  cancelled: effectMidway,
  long: effectMidway,
  flaky(payload, ctx) {
    if (ctx.failures < payload.failures) throw new Error('not yet');
    applyEffect(payload, ctx);
  },
  hopeless() {
    throw Object.assign(new Error('never'), { retryable: false, code: 'hopeless' });
  },
  snoozed(payload, ctx) {
    if (ctx.attempt <= payload.times) ctx.snooze(payload.ms);
    applyEffect(payload, ctx);
  },
  async checkpointed(payload, ctx) {
    for (let step = (ctx.lastCheckpoint?.step ?? 0) + 1; step <= payload.steps; step += 1) {
      await pause(payload.ms, null, { signal: ctx.signal });
      await ctx.checkpoint({ step });
      note(payload, ctx, 'saved', { step });
    }
    applyEffect(payload, ctx);
  },
};

function handler(kind, more) {
  return {
    name: `chaos.${kind}`,
    ...more,
    async run(payload, ctx) {
      note(payload, ctx, 'start', { step: ctx.lastCheckpoint?.step ?? 0 });
      try {
        await WORK[kind](payload, ctx);
      } catch (error) {
        note(payload, ctx, 'throw', { error: error.name, code: error.code });
        throw error;
      }
      note(payload, ctx, 'end');
      return { n: payload.n };
    },
  };
}

const soon = { backoff: 'fixed', baseMs: 100, jitter: 0.2 };

/** A checkpoint that cannot be stored is a failure, and a database that is away for a while makes several. */
const patient = { ...soon, maxAttempts: 100 };

export default Object.keys(WORK).map((kind) => handler(kind, { retry: kind === 'checkpointed' ? patient : { ...soon, maxAttempts: 5 } }));

/** Waiting for a condition with a deadline, which is how these tests wait for everything; none of them sleeps for luck. */
import { setTimeout as pause } from 'node:timers/promises';

export interface Patience {
  /** Give up after this many ms. */
  deadlineMs?: number;
  /** Ask again after this many ms. */
  everyMs?: number;
  /** What is being waited for, as the end of the sentence "gave up after 10000 ms waiting for …". */
  what?: string;
}

/**
 * Asks until the answer is neither false, null nor undefined, and returns it. A condition that throws counts as "not yet".
 * At the deadline it fails with what was waited for and the last answer or error, so that the report explains itself.
 */
export async function until<T>(
  condition: () => T | Promise<T>,
  { deadlineMs = 10_000, everyMs = 25, what = 'a condition' }: Patience = {},
): Promise<NonNullable<Exclude<T, false>>> {
  const giveUpAt = performance.now() + deadlineMs;
  let last: unknown;
  for (;;) {
    try {
      const answer = await condition();
      if (answer !== false && answer !== null && answer !== undefined) return answer as NonNullable<Exclude<T, false>>;
      last = answer;
    } catch (error) {
      last = error;
    }
    if (performance.now() >= giveUpAt) {
      throw new Error(`gave up after ${deadlineMs} ms waiting for ${what}; the last answer was: ${describeAnswer(last)}`, { cause: last });
    }
    await pause(everyMs);
  }
}

/** Settles with the promise, or fails at the deadline. */
export async function within<T>(promise: Promise<T>, deadlineMs: number, what: string): Promise<T> {
  const timer = new AbortController();
  const late = pause(deadlineMs, undefined, { signal: timer.signal }).then(() => {
    throw new Error(`gave up after ${deadlineMs} ms waiting for ${what}`);
  });
  try {
    return await Promise.race([promise, late]);
  } finally {
    late.catch(() => undefined);
    timer.abort();
  }
}

function describeAnswer(answer: unknown): string {
  return answer instanceof Error ? answer.message : String(answer);
}

/**
 * Repeats a transaction that lost a deadlock or waited too long for a lock. Bounded, with a little jitter so that the two
 * sides of a deadlock do not meet again; anything else is handed on at once.
 */
import { pause } from '@app/lifecycle';
import { describe, isTransient } from './failures.js';

const ATTEMPTS_MAX = 4;
const PAUSE_MS_MAX = 60;

export async function retryTransient<T>(work: () => Promise<T>, random: () => number): Promise<T> {
  for (let attempt = 1; ; attempt += 1) {
    try {
      return await work();
    } catch (error) {
      if (!isTransient(error) || attempt >= ATTEMPTS_MAX) throw describe(error);
      await pause(Math.ceil(random() * PAUSE_MS_MAX * attempt));
    }
  }
}

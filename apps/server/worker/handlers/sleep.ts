/** Waits for `ms` milliseconds (0 to 24 hours) and stops at once when it is aborted: a stand-in for long work. */
import { defineHandler, PermanentError } from '@app/handlers';

const SLEEP_MS_MAX = 86_400_000;

export const sleep = defineHandler({
  name: 'sleep',
  run: async (payload, { signal }) => {
    const ms = durationOf(payload);
    await pause(ms, signal);
    return { sleptMs: ms };
  },
});

function durationOf(payload: unknown): number {
  if (typeof payload === 'object' && payload !== null && 'ms' in payload && Object.keys(payload).length === 1) {
    const { ms } = payload;
    if (typeof ms === 'number' && Number.isInteger(ms) && ms >= 0 && ms <= SLEEP_MS_MAX) return ms;
  }
  throw new PermanentError(`The payload must be an object { "ms": … } with a whole number from 0 to ${SLEEP_MS_MAX}.`, {
    code: 'invalid-payload',
  });
}

/** Rejects with the reason of the abort, so that the executor sees its own reason come back. */
function pause(ms: number, signal: AbortSignal): Promise<void> {
  return new Promise((resolve, reject) => {
    const stop = (): void => {
      clearTimeout(timer);
      reject(signal.reason as Error);
    };
    const timer = setTimeout(() => {
      signal.removeEventListener('abort', stop);
      resolve();
    }, ms);
    if (signal.aborted) stop();
    else signal.addEventListener('abort', stop, { once: true });
  });
}

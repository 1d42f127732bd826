/**
 * Asks the main thread something while it computes without a pause, by interrupting it through the inspector. For threads of this
 * process only; nothing is opened to the outside. A main thread inside native code, such as a synchronous child process or a
 * derivation of a key, cannot be interrupted and gives no answer in time.
 */
import type { Session } from 'node:inspector';
import { setTimeout as after } from 'node:timers/promises';

/** The loop of the asking thread must turn, or the answer is not delivered. */
const TICK_MS = 20;

interface Evaluated {
  result: { value?: unknown };
}

/** The text that the expression evaluates to, or null where none came within `deadlineMs` or the inspector is not to be had. */
export async function askMainThread(expression: string, deadlineMs: number): Promise<string | null> {
  let session: Session | null = null;
  const ticking = setInterval(() => undefined, TICK_MS);
  const over = new AbortController();
  try {
    // A build of Node without an inspector has no such module.
    const inspector = await import('node:inspector');
    const asking = new inspector.Session();
    session = asking;
    asking.connectToMainThread();
    const answer = new Promise<string | null>((resolve) => {
      asking.post('Runtime.evaluate', { expression, returnByValue: true }, (error: Error | null, evaluated?: Evaluated) => {
        const value = error === null ? evaluated?.result.value : null;
        resolve(typeof value === 'string' ? value : null);
      });
    });
    return await Promise.race([answer, after(deadlineMs, null, { signal: over.signal })]);
  } catch {
    return null;
  } finally {
    over.abort();
    clearInterval(ticking);
    // A session that stays open would keep the process from its exit.
    session?.disconnect();
  }
}

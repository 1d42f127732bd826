import { describe, expect, it } from '@jest/globals';
import { SystemClock } from './clock.js';
import { DeadlineExceeded, pause, within } from './deadline.js';

const timers = (): number => process.getActiveResourcesInfo().filter((kind) => kind === 'Timeout').length;

describe('within a deadline', () => {
  it('work settles as it would, and leaves no timer behind', async () => {
    const before = timers();
    expect(await within(Promise.resolve(7), 60_000, 'work')).toBe(7);
    await expect(within(Promise.reject(new Error('no')), 60_000, 'work')).rejects.toThrow('no');
    expect(timers()).toBe(before);
  });

  it('work that does not settle is given up by name', async () => {
    const late = within(new Promise(() => undefined), 5, 'the answer');
    await expect(late).rejects.toThrow(DeadlineExceeded);
    await expect(late).rejects.toThrow('the answer did not finish within 5 ms');
  });

  it('work that fails after it was given up disturbs nobody', async () => {
    let fail: (error: Error) => void = () => undefined;
    const work = new Promise<never>((_resolve, reject) => (fail = reject));
    await expect(within(work, 1, 'work')).rejects.toThrow(DeadlineExceeded);
    const unhandled: unknown[] = [];
    const listen = (error: unknown): void => void unhandled.push(error);
    process.on('unhandledRejection', listen);
    fail(new Error('too late'));
    await new Promise((resolve) => setImmediate(resolve));
    process.off('unhandledRejection', listen);
    expect(unhandled).toEqual([]);
  });
});

describe('a pause', () => {
  it('ends by itself', async () => {
    await expect(pause(1)).resolves.toBeUndefined();
  });

  it('ends at once when its signal fires, or has fired, and leaves nothing behind', async () => {
    const before = timers();
    const abort = new AbortController();
    const pausing = pause(3_600_000, abort.signal);
    expect(timers()).toBe(before + 1);
    abort.abort();
    await pausing;
    await pause(3_600_000, abort.signal);
    expect(timers()).toBe(before);
  });
});

describe('the clock of the system', () => {
  it('counts whole milliseconds since the epoch, and monotonic ones that do not go back', () => {
    const clock = new SystemClock();
    expect(Number.isSafeInteger(clock.now())).toBe(true);
    const first = clock.monotonic();
    expect(clock.monotonic()).toBeGreaterThanOrEqual(first);
  });
});

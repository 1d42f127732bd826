import { describe, expect, it } from '@jest/globals';
import { Unavailable } from '@app/errors';
import { Clock } from './clock.js';
import { DeadlineExceeded } from './deadline.js';
import { Loop, NodeTimers, type LoopOptions, type Timers } from './loop.js';
import { Loops } from './loops.js';

/** Time that stands still until the test moves it, and timers that fire when it passes them. */
class FakeTime extends Clock implements Timers {
  readonly armed = new Map<string, { at: number; run: () => void }>();
  private time = 0;

  now(): number {
    return this.time;
  }

  monotonic(): number {
    return this.time;
  }

  arm(name: string, delayMs: number, run: () => void): void {
    this.armed.set(name, { at: this.time + delayMs, run });
  }

  disarm(name: string): void {
    this.armed.delete(name);
  }

  /** How long until the timer of the loop fires; null where none is armed. */
  pending(name = 'subject'): number | null {
    const timer = this.armed.get(name);
    return timer === undefined ? null : timer.at - this.time;
  }

  /** Moves the time, fires what is due on the way, and lets everything it set off settle. */
  async pass(ms: number): Promise<void> {
    const end = this.time + ms;
    await settled();
    for (;;) {
      const [next] = [...this.armed].filter(([, timer]) => timer.at <= end).sort(([, a], [, b]) => a.at - b.at);
      if (next === undefined) break;
      const [name, timer] = next;
      this.armed.delete(name);
      this.time = Math.max(this.time, timer.at);
      timer.run();
      await settled();
    }
    this.time = end;
    await settled();
  }
}

const settled = (): Promise<void> => new Promise((resolve) => setImmediate(resolve));

/** A tick that ends when the test says so. */
class Hand {
  started = 0;
  private waiting: { resolve: (value: { again: boolean } | undefined) => void; reject: (error: unknown) => void }[] = [];

  readonly tick = (): Promise<{ again: boolean } | undefined> => {
    this.started += 1;
    return new Promise((resolve, reject) => this.waiting.push({ resolve, reject }));
  };

  get open(): number {
    return this.waiting.length;
  }

  end(value?: { again: boolean }): void {
    this.waiting.shift()?.resolve(value);
  }

  fail(): void {
    this.waiting.shift()?.reject(new Error('no'));
  }
}

function make(options: Partial<LoopOptions> = {}): { time: FakeTime; loop: Loop; errors: number[] } {
  const time = new FakeTime();
  const errors: number[] = [];
  const loop = new Loop({
    name: 'subject',
    intervalMs: 1_000,
    tickMs: 500,
    tick: () => Promise.resolve(),
    onError: (_error, failures) => errors.push(failures),
    clock: time,
    timers: time,
    random: () => 0.5,
    ...options,
  });
  return { time, loop, errors };
}

describe('a loop', () => {
  it('ticks again one interval after the end of a tick, however long that took', async () => {
    const hand = new Hand();
    const { time, loop } = make({ tick: hand.tick });
    loop.start();
    await time.pass(500);
    expect([hand.started, time.pending()]).toEqual([1, null]);
    await time.pass(60_000);
    expect(hand.started).toBe(1);
    hand.end();
    await settled();
    expect(time.pending()).toBe(1_000);
    await time.pass(1_000);
    expect(hand.started).toBe(2);
  });

  it('never runs two ticks at once, whoever wakes it', async () => {
    const hand = new Hand();
    const { time, loop } = make({ tick: hand.tick });
    loop.start();
    loop.start();
    await time.pass(1_000);
    for (let turn = 0; turn < 20; turn += 1) {
      loop.wake();
      loop.wake();
      await time.pass(3_000);
      expect(hand.open).toBe(1);
      hand.end();
      await time.pass(0);
      expect(hand.open).toBe(1);
    }
    expect(hand.started).toBe(21);
  });

  it('spreads its first tick and every interval', async () => {
    const { time, loop } = make({ random: () => 0, intervalMs: 10_000 });
    loop.start();
    expect(time.pending()).toBe(0);
    await time.pass(0);
    expect(time.pending()).toBe(9_000);

    const late = make({ random: () => 0.999_999, intervalMs: 10_000 });
    late.loop.start();
    expect(late.time.pending()).toBe(1_000);
    await late.time.pass(1_000);
    expect(late.time.pending()).toBe(11_000);
  });

  it('skips the pause while a tick says that there is more', async () => {
    const answers = [{ again: true }, { again: true }, { again: false }];
    const { time, loop } = make({ tick: () => Promise.resolve(answers.shift() ?? { again: false }) });
    loop.start();
    await time.pass(500);
    expect([answers.length, time.pending()]).toEqual([0, 1_000]);
  });

  it('woken while it waits, ticks at once; woken during a tick, once more after it', async () => {
    const hand = new Hand();
    const { time, loop } = make({ tick: hand.tick });
    loop.start();
    loop.wake();
    expect(time.pending()).toBe(0);
    await time.pass(0);
    loop.wake();
    loop.wake();
    hand.end();
    await time.pass(0);
    expect(hand.started).toBe(2);
    hand.end();
    await time.pass(0);
    expect([hand.started, time.pending()]).toEqual([2, 1_000]);
  });

  it.each([0, 1, 2, 3, 4, 5, 6, 7, 8])('forgets no call to wake that comes %i steps after the end of a tick', async (steps) => {
    const hand = new Hand();
    const { time, loop } = make({ tick: hand.tick });
    loop.start();
    await time.pass(500);
    hand.end();
    for (let step = 0; step < steps; step += 1) await Promise.resolve();
    loop.wake();
    await time.pass(0);
    expect(hand.started).toBe(2);
  });

  it('is not woken before its start', () => {
    const { time, loop } = make();
    loop.wake();
    expect(time.pending()).toBeNull();
  });

  it('pauses longer after each failure, up to a bound, and returns to its interval after one success', async () => {
    let isBroken = true;
    const { time, loop, errors } = make({ tick: () => (isBroken ? Promise.reject(new Error('no')) : Promise.resolve()), random: () => 0 });
    loop.start();
    await time.pass(0);
    const pauses: number[] = [];
    for (let failure = 0; failure < 8; failure += 1) {
      const pending = time.pending() ?? -1;
      pauses.push(pending);
      await time.pass(pending);
    }
    expect(pauses).toEqual([1_000, 2_000, 4_000, 5_000, 5_000, 5_000, 5_000, 5_000]);
    expect(errors).toEqual([1, 2, 3, 4, 5, 6, 7, 8, 9]);
    expect(loop.report()).toMatchObject({ healthy: true, failuresInARow: 9 });
    isBroken = false;
    await time.pass(time.pending() ?? 0);
    expect(time.pending()).toBe(900);
    expect(loop.report().failuresInARow).toBe(0);
  });

  it('is not hurried by a wake while its tick fails', async () => {
    const hand = new Hand();
    const { time, loop } = make({ tick: hand.tick });
    loop.start();
    await time.pass(500);
    loop.wake();
    hand.fail();
    await settled();
    expect(time.pending()).toBe(1_500);
  });

  it('survives a tick that throws at once and a reporter that throws', async () => {
    let ticks = 0;
    const { time, loop } = make({
      tick: () => {
        ticks += 1;
        throw new Error('at once');
      },
      onError: () => {
        throw new Error('the reporter is broken as well');
      },
    });
    loop.start();
    await time.pass(60_000);
    expect(ticks).toBeGreaterThan(4);
    await loop.stop();
  });
});

describe('stopping a loop', () => {
  it('signals the tick under way, waits for its end and arms nothing', async () => {
    const hand = new Hand();
    let seen: AbortSignal | undefined;
    const { time, loop } = make({
      tick: (signal) => {
        seen = signal;
        return hand.tick();
      },
    });
    loop.start();
    await time.pass(500);
    expect(seen?.aborted).toBe(false);
    let isStopped = false;
    const stopping = loop.stop().then(() => (isStopped = true));
    await settled();
    expect([seen?.aborted, isStopped]).toEqual([true, false]);
    hand.end({ again: true });
    await stopping;
    await time.pass(60_000);
    expect([hand.started, time.pending()]).toEqual([1, null]);
  });

  it('takes the error of an interrupted tick for its end', async () => {
    const hand = new Hand();
    const { time, loop, errors } = make({ tick: hand.tick });
    loop.start();
    await time.pass(500);
    const stopping = loop.stop();
    hand.fail();
    await stopping;
    expect([errors, time.pending()]).toEqual([[], null]);
  });

  it('disarms a loop that waits; a wake does not bring it back, a start does', async () => {
    const { time, loop } = make();
    loop.start();
    await loop.stop();
    loop.wake();
    expect(time.pending()).toBeNull();
    loop.start();
    expect(time.pending()).toBe(500);
  });

  it('and starting it again before its tick has ended does not run two at once', async () => {
    const hand = new Hand();
    const { time, loop } = make({ tick: hand.tick });
    loop.start();
    await time.pass(500);
    const stopping = loop.stop();
    loop.start();
    await time.pass(5_000);
    expect(hand.open).toBe(1);
    hand.end();
    await stopping;
    await time.pass(5_000);
    expect([hand.started, hand.open]).toEqual([2, 1]);
  });
});

describe('the health of a loop', () => {
  /** Three times the interval and the tick, and the longest pause after failures. */
  const bound = 3 * (1_000 + 500) + 10_000;

  it('ends when a tick hangs, and returns with the end of that tick', async () => {
    const hand = new Hand();
    const { time, loop } = make({ tick: hand.tick });
    loop.start();
    await time.pass(bound);
    expect(loop.report()).toMatchObject({ name: 'subject', healthy: true, silentMs: bound, failuresInARow: 0 });
    await time.pass(1);
    expect(loop.report().healthy).toBe(false);
    hand.end();
    await settled();
    expect(loop.report()).toMatchObject({ healthy: true, silentMs: 0 });
  });

  it('ends when a tick hangs after one that failed', async () => {
    const hand = new Hand();
    const { time, loop } = make({ tick: hand.tick });
    loop.start();
    await time.pass(500);
    hand.fail();
    await settled();
    await time.pass(bound + 1);
    expect([hand.started, loop.report().healthy]).toEqual([2, false]);
  });

  it('does not end while its dependency is away: failing is not silence', async () => {
    const { time, loop } = make({ tick: () => Promise.reject(new Error('away')) });
    loop.start();
    for (let minute = 0; minute < 60; minute += 1) {
      await time.pass(60_000);
      expect(loop.report().healthy).toBe(true);
    }
  });

  it('is told apart by why a tick fails: what an outage explains is no fault of the loop', async () => {
    const outages = [new Unavailable('The database does not answer.'), new DeadlineExceeded('a probe', 5)];
    const failures: (Error | null)[] = [new Error('bug'), ...outages, new Error('bug'), null, new Error('bug')];
    const { time, loop } = make({
      tick: () => {
        const failure = failures.shift() ?? null;
        return failure === null ? Promise.resolve() : Promise.reject(failure);
      },
    });
    loop.start();
    const seen: number[][] = [];
    while (failures.length > 0) {
      await time.pass(time.pending() ?? 0);
      const { failuresInARow, faultsInARow, failures: ever } = loop.report();
      seen.push([failuresInARow, faultsInARow, ever]);
    }
    expect(seen).toEqual([
      [1, 1, 1],
      [2, 1, 2],
      [3, 1, 3],
      [4, 2, 4],
      [0, 0, 4],
      [1, 1, 5],
    ]);
  });

  it('may be told by the loop itself what is an outage', async () => {
    const { time, loop } = make({ tick: () => Promise.reject(new Error('of Redis')), isOutage: () => true });
    loop.start();
    await time.pass(60_000);
    expect(loop.report()).toMatchObject({ faultsInARow: 0 });
    expect(loop.report().failures).toBeGreaterThan(3);
  });

  it('is not asked of a loop that was stopped', async () => {
    const { time, loop } = make();
    loop.start();
    await loop.stop();
    await time.pass(3_600_000);
    expect(loop.report()).toMatchObject({ healthy: true, silentMs: 0 });
  });
});

describe('the loops of a process', () => {
  it('are started and reported when registered, and forgotten when stopped', async () => {
    const loops = new Loops();
    const { time, loop } = make();
    expect(loops.run(loop)).toBe(loop);
    expect(time.pending()).toBe(500);
    expect(loops.reports().map(({ name }) => name)).toEqual(['subject']);
    await loops.stop(loop);
    expect([loops.reports(), time.pending()]).toEqual([[], null]);
  });
});

describe('the timers of Node', () => {
  const fired = (timers: NodeTimers, name: string): Promise<string> =>
    new Promise((resolve) => {
      timers.arm(name, 1, () => {
        resolve(name);
      });
    });

  it('fire, and replace the timer of the same name', async () => {
    const timers = new NodeTimers();
    const keepAlive = setInterval(() => undefined, 1_000);
    let early = 0;
    timers.arm('a', 1, () => (early += 1));
    timers.arm('b', 1, () => (early += 1));
    timers.disarm('b');
    expect(await fired(timers, 'a')).toBe('a');
    expect(await fired(timers, 'c')).toBe('c');
    clearInterval(keepAlive);
    expect(early).toBe(0);
  });

  it('do not keep the process alive', () => {
    const before = process.getActiveResourcesInfo().filter((kind) => kind === 'Timeout').length;
    const timers = new NodeTimers();
    timers.arm('long', 3_600_000, () => undefined);
    expect(process.getActiveResourcesInfo().filter((kind) => kind === 'Timeout').length).toBe(before);
    timers.disarm('long');
  });
});

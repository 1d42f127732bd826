import { afterEach, describe, expect, it } from '@jest/globals';
import { SystemClock } from '@app/lifecycle';
import { until } from '../../../../test/support/until.js';
import { LoopDelay } from './loop-delay.js';

let delay: LoopDelay | null = null;
afterEach(() => delay?.stop());

/** Keeps the loop busy for so long. */
function block(ms: number): void {
  const end = performance.now() + ms;
  while (performance.now() < end);
}

describe('the delay of the event loop', () => {
  it('is seen while a real loop is blocked again and again, and is over when that is', async () => {
    let samples = 0;
    delay = new LoopDelay(new SystemClock(), () => void (samples += 1));
    delay.start();
    const blocking = setInterval(() => {
      block(180);
    }, 1);
    try {
      await until(() => delay!.medianMs > 40, { what: 'the delay to be seen' });
    } finally {
      clearInterval(blocking);
    }
    const seen = samples;
    await until(() => samples >= seen + 8, { what: 'samples of a quiet loop' });
    await until(() => delay!.medianMs < 40, { what: 'the delay to be over' });
  });

  it('is not counted for a single pause', async () => {
    let samples = 0;
    delay = new LoopDelay(new SystemClock(), () => void (samples += 1));
    delay.start();
    await until(() => samples >= 7, { what: 'seven samples' });
    block(1_500);
    const before = samples;
    await until(() => samples > before, { what: 'the next sample' });
    expect(delay.medianMs).toBeLessThan(1_000);
  });
});

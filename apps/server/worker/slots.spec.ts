import { describe, expect, it } from '@jest/globals';
import { loadConfig } from '@app/config';
import { Slots } from './slots.js';

const three = (): Slots => new Slots(loadConfig({ WORKER_CONCURRENCY: '3' }));
const never = new AbortController().signal;

describe('Slots', () => {
  it('gives no more than there are', () => {
    const slots = three();
    expect(slots.reserve(2)).toBe(2);
    expect(slots.reserve(2)).toBe(1);
    expect(slots.reserve(1)).toBe(0);
    slots.release(2);
    expect(slots.free).toBe(2);
    expect(slots.busy).toBe(1);
  });

  it('wakes those who wait in the order they came', async () => {
    const slots = three();
    slots.reserve(3);
    const order: string[] = [];
    const first = slots.whenFree(never).then(() => {
      order.push('first');
      slots.reserve(1);
    });
    const second = slots.whenFree(never).then(() => order.push('second'));
    slots.release(1);
    await first;
    slots.release(1);
    await second;
    expect(order).toEqual(['first', 'second']);
  });

  it('wakes the next where the one that was woken makes no use of it', async () => {
    const slots = new Slots(loadConfig({ WORKER_CONCURRENCY: '1' }));
    slots.reserve(1);
    const waiting = Array.from({ length: 40 }, () => slots.whenFree(never));
    slots.release(1);
    await Promise.all(waiting);
    expect(slots.free).toBe(1);
  });

  it('lets go of those who no longer want to wait', async () => {
    const slots = three();
    slots.reserve(3);
    const leaving = new AbortController();
    const waiting = slots.whenFree(leaving.signal);
    leaving.abort();
    await waiting;
    expect(slots.free).toBe(0);
  });
});

import { describe, expect, it } from '@jest/globals';
import { LatestWrite } from './latest-write.js';

/** Writes that end when the test says so. */
function controlled(): { writer: LatestWrite<number>; begun: number[]; end: (error?: Error) => void } {
  const begun: number[] = [];
  const ends: ((error?: Error) => void)[] = [];
  const writer = new LatestWrite<number>((value) => {
    begun.push(value);
    return new Promise<void>((resolve, reject) => {
      ends.push((error) => {
        if (error === undefined) resolve();
        else reject(error);
      });
    });
  });
  return { writer, begun, end: (error) => ends.shift()?.(error) };
}

describe('LatestWrite', () => {
  it('writes one at a time, and of those that wait the last one, for all of them', async () => {
    const { writer, begun, end } = controlled();
    const first = writer.put(1);
    const later = [writer.put(2), writer.put(3), writer.put(4)];
    expect(begun).toEqual([1]);
    end();
    await first;
    await Promise.resolve();
    expect(begun).toEqual([1, 4]);
    end();
    await Promise.all(later);
    expect(begun).toEqual([1, 4]);
  });

  it('goes on after a failure, and tells it to those whose write it was', async () => {
    const { writer, begun, end } = controlled();
    const first = writer.put(1);
    const second = writer.put(2);
    end(new Error('away'));
    await expect(first).rejects.toThrow('away');
    await Promise.resolve();
    end();
    await second;
    const third = writer.put(3);
    end();
    await third;
    expect(begun).toEqual([1, 2, 3]);
  });

  it('keeps the order through many rounds', async () => {
    const written: number[] = [];
    const writer = new LatestWrite<number>(async (value) => {
      await Promise.resolve();
      written.push(value);
    });
    const all: Promise<void>[] = [];
    for (let value = 1; value <= 50; value += 1) {
      all.push(writer.put(value));
      if (value % 7 === 0) await Promise.resolve();
    }
    await Promise.all(all);
    expect(written.at(-1)).toBe(50);
    expect([...written].sort((a, b) => a - b)).toEqual(written);
  });
});

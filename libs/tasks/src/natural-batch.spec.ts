import { describe, expect, it } from '@jest/globals';
import { Unavailable } from '@app/errors';
import { NaturalBatch, type NaturalBatchOptions } from './natural-batch.js';

interface Call {
  entries: number[];
  answer(results?: (string | Error)[]): void;
  fail(error: Error): void;
}

/** A batch whose statements the test answers by hand. */
function batchOf(options: Partial<NaturalBatchOptions<number>> = {}) {
  const calls: Call[] = [];
  const batch = new NaturalBatch<number, string>(
    { inFlightMax: 1, rowsMax: 100, bytesMax: 1_000_000, waitingMax: 1_000, bytesOf: () => 1, ...options },
    (entries) =>
      new Promise((resolve, reject) => {
        calls.push({
          entries,
          answer: (results) => {
            resolve(results ?? entries.map((entry) => `done ${entry}`));
          },
          fail: reject,
        });
      }),
  );
  return { batch, calls };
}

/** Two turns of the event loop: what was to start has started. */
async function turns(): Promise<void> {
  for (let count = 0; count < 2; count += 1) await new Promise((resolve) => setImmediate(resolve));
}

const numbers = (count: number): number[] => Array.from({ length: count }, (_, index) => index);

describe('NaturalBatch', () => {
  it('puts what arrives in one turn of the event loop into one statement, in order', async () => {
    const { batch, calls } = batchOf();
    const added = numbers(5).map((entry) => batch.add(entry));
    await turns();
    expect(calls.map(({ entries }) => entries)).toEqual([[0, 1, 2, 3, 4]]);
    calls[0]?.answer();
    expect(await Promise.all(added)).toEqual(numbers(5).map((entry) => `done ${entry}`));
  });

  it('collects what arrives while a statement is in flight into the next one', async () => {
    const { batch, calls } = batchOf();
    const first = batch.add(0);
    await turns();
    const rest = [1, 2, 3].map((entry) => batch.add(entry));
    await turns();
    expect(calls).toHaveLength(1);
    calls[0]?.answer();
    await first;
    await turns();
    expect(calls.map(({ entries }) => entries)).toEqual([[0], [1, 2, 3]]);
    calls[1]?.answer();
    await Promise.all(rest);
  });

  it('makes no group of more rows than allowed', async () => {
    const { batch, calls } = batchOf({ rowsMax: 3, inFlightMax: 10 });
    const added = numbers(8).map((entry) => batch.add(entry));
    await turns();
    expect(calls.map(({ entries }) => entries)).toEqual([
      [0, 1, 2],
      [3, 4, 5],
      [6, 7],
    ]);
    calls.forEach((call) => {
      call.answer();
    });
    expect(await Promise.all(added)).toHaveLength(8);
  });

  it('makes no group of more bytes than allowed, but lets a single entry be larger', async () => {
    const { batch, calls } = batchOf({ bytesMax: 10, bytesOf: (entry) => entry, inFlightMax: 10 });
    const added = [4, 6, 1, 50, 9, 1].map((entry) => batch.add(entry));
    await turns();
    expect(calls.map(({ entries }) => entries)).toEqual([[4, 6], [1], [50], [9, 1]]);
    calls.forEach((call) => {
      call.answer();
    });
    await Promise.all(added);
  });

  it('keeps no more groups in flight than allowed', async () => {
    const { batch, calls } = batchOf({ rowsMax: 1, inFlightMax: 2 });
    const added = numbers(5).map((entry) => batch.add(entry));
    for (let answered = 0; answered < 5; answered += 1) {
      await turns();
      expect(calls).toHaveLength(Math.min(5, answered + 2));
      calls[answered]?.answer();
    }
    await Promise.all(added);
  });

  it('refuses what exceeds the waiting line, and takes more once the line has moved', async () => {
    const { batch, calls } = batchOf({ rowsMax: 2, waitingMax: 3 });
    const kept = numbers(3).map((entry) => batch.add(entry));
    await expect(batch.add(3)).rejects.toBeInstanceOf(Unavailable);
    await turns();
    kept.push(batch.add(4));
    for (let answered = 0; answered < 2; answered += 1) {
      await turns();
      calls[answered]?.answer();
    }
    expect(await Promise.all(kept)).toEqual(['done 0', 'done 1', 'done 2', 'done 4']);
  });

  it('refuses what exceeds the bytes of the waiting line, and takes more once the line has moved', async () => {
    const { batch, calls } = batchOf({ bytesMax: 6, waitingBytesMax: 10, bytesOf: (entry) => entry });
    const kept = [4, 6].map((entry) => batch.add(entry));
    await expect(batch.add(1)).rejects.toBeInstanceOf(Unavailable);
    await turns();
    // The first is in flight; what waits is the second.
    kept.push(batch.add(4));
    await expect(batch.add(1)).rejects.toBeInstanceOf(Unavailable);
    for (let answered = 0; answered < 3; answered += 1) {
      await turns();
      calls[answered]?.answer();
    }
    expect(await Promise.all(kept)).toEqual(['done 4', 'done 6', 'done 4']);
  });

  it('takes a single entry that is larger than the waiting line', async () => {
    const { batch, calls } = batchOf({ waitingBytesMax: 10, bytesOf: (entry) => entry });
    const added = batch.add(50);
    await expect(batch.add(1)).rejects.toBeInstanceOf(Unavailable);
    await turns();
    calls[0]?.answer();
    expect(await added).toBe('done 50');
  });

  it('keeps no more than 64 MiB waiting where nothing else was said', async () => {
    const { batch, calls } = batchOf({ bytesMax: 1e9, bytesOf: (entry) => entry });
    const kept = [batch.add(60 * 1024 * 1024), batch.add(4 * 1024 * 1024)];
    await expect(batch.add(1)).rejects.toBeInstanceOf(Unavailable);
    await turns();
    calls[0]?.answer();
    expect(await Promise.all(kept)).toHaveLength(2);
  });

  it('rejects the one entry that an Error answers, and not its neighbours', async () => {
    const { batch, calls } = batchOf();
    const added = Promise.allSettled(numbers(3).map((entry) => batch.add(entry)));
    await turns();
    calls[0]?.answer(['a', new Error('only this one'), 'c']);
    expect(await added).toEqual([
      { status: 'fulfilled', value: 'a' },
      { status: 'rejected', reason: new Error('only this one') },
      { status: 'fulfilled', value: 'c' },
    ]);
  });

  it('rejects a whole group whose statement failed, and goes on with the next', async () => {
    const { batch, calls } = batchOf({ rowsMax: 2 });
    const added = Promise.allSettled(numbers(4).map((entry) => batch.add(entry)));
    await turns();
    calls[0]?.fail(new Error('away'));
    await turns();
    calls[1]?.answer();
    expect((await added).map(({ status }) => status)).toEqual(['rejected', 'rejected', 'fulfilled', 'fulfilled']);
  });

  it('works on after it has run empty', async () => {
    const { batch, calls } = batchOf();
    for (let round = 0; round < 3; round += 1) {
      const added = batch.add(round);
      await turns();
      calls[round]?.answer();
      expect(await added).toBe(`done ${round}`);
    }
  });

  it('is drained when nothing waits and nothing is in flight', async () => {
    const { batch, calls } = batchOf({ rowsMax: 1 });
    await batch.drained();
    const added = numbers(2).map((entry) => batch.add(entry));
    let isDrained = false;
    const drained = batch.drained().then(() => {
      isDrained = true;
    });
    for (let answered = 0; answered < 2; answered += 1) {
      await turns();
      expect(isDrained).toBe(false);
      expect(batch.size).toBeGreaterThan(0);
      calls[answered]?.answer();
    }
    await drained;
    await Promise.all(added);
    expect(batch.size).toBe(0);
  });

  it('is drained after a failure as well', async () => {
    const { batch, calls } = batchOf();
    const added = Promise.allSettled([batch.add(1)]);
    await turns();
    calls[0]?.fail(new Error('away'));
    await batch.drained();
    expect((await added)[0]?.status).toBe('rejected');
  });
});

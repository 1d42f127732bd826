import { describe, expect, it } from '@jest/globals';
import { runLanes } from './lanes.mjs';

/** Passes only while somebody pauses, and then to the first who wants to go on. */
function fakeTime(): { now(): number; pause(ms: number): Promise<void> } {
  let now = 1_000;
  let waiting: { at: number; wake: () => void }[] = [];
  return {
    now: () => now,
    async pause(ms) {
      const at = now + ms;
      await new Promise<void>((wake) => {
        waiting.push({ at, wake });
        setImmediate(() => {
          const next = waiting.sort((a, b) => a.at - b.at)[0];
          if (next === undefined) return;
          waiting = waiting.slice(1);
          now = Math.max(now, next.at);
          next.wake();
        });
      });
    },
  };
}

describe('a load', () => {
  it('sends each request once, never more at once than there are lanes', async () => {
    const sent: number[] = [];
    let inFlight = 0;
    let most = 0;
    const report = await runLanes({ requests: 20, lanes: 3, requestsPerSecond: null }, async (request) => {
      inFlight += 1;
      most = Math.max(most, inFlight);
      await new Promise(setImmediate);
      inFlight -= 1;
      sent.push(request);
    });
    expect(sent.sort((a, b) => a - b)).toEqual(Array.from({ length: 20 }, (_, index) => index));
    expect(most).toBe(3);
    expect(report.dueAt.every((at) => at >= report.startedAt)).toBe(true);
    expect(report.answeredMs).toHaveLength(20);
  });

  it('uses no lane that it has no request for', async () => {
    const lanes = new Set<number>();
    await runLanes({ requests: 2, lanes: 64, requestsPerSecond: null }, async (_request, lane) => void lanes.add(lane));
    expect([...lanes]).toEqual([0, 1]);
  });

  it('at a pace sends each when it is due', async () => {
    const { startedAt, dueAt } = await runLanes({ requests: 5, lanes: 5, requestsPerSecond: 200 }, () => Promise.resolve(), fakeTime());
    expect([...dueAt].map((at) => at - startedAt)).toEqual([0, 5, 10, 15, 20]);
  });

  it('at a pace counts the wait of a request that no lane was free for', async () => {
    const time = fakeTime();
    const send = async (request: number): Promise<void> => {
      if (request === 0) await time.pause(12);
    };
    const { startedAt, dueAt, answeredMs } = await runLanes({ requests: 4, lanes: 1, requestsPerSecond: 200 }, send, time);
    expect([...dueAt].map((at) => at - startedAt)).toEqual([0, 5, 10, 15]);
    // Two were due while the first stalled: their time runs from then.
    expect([...answeredMs]).toEqual([12, 7, 2, 0]);
  });

  it('ends with the first refusal', async () => {
    await expect(runLanes({ requests: 3, lanes: 1, requestsPerSecond: null }, () => Promise.reject(new Error('no')))).rejects.toThrow('no');
  });
});

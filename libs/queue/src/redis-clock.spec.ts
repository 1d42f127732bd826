/** The server's time from a measured difference: never waited for, renewed, and given up with the connection. */
import { describe, expect, it } from '@jest/globals';
import { Clock } from '@app/lifecycle';
import { RedisClock } from './redis-clock.js';

class HandClock extends Clock {
  ms = 1_000;

  now(): number {
    return this.ms;
  }

  monotonic(): number {
    return this.ms;
  }
}

const SERVER = 1_700_000_000_000;
const settled = (): Promise<void> => new Promise((resolve) => setImmediate(resolve));

function clockOf(answers: (() => Promise<number>)[]) {
  const clock = new HandClock();
  let asked = 0;
  const server = new RedisClock(clock, () => {
    asked += 1;
    return answers[Math.min(asked, answers.length) - 1]!();
  });
  return { clock, server, asked: () => asked };
}

describe('the clock of the server', () => {
  it('is unknown until it has answered, and then goes with ours', async () => {
    const { clock, server, asked } = clockOf([() => Promise.resolve(SERVER)]);
    expect(server.now()).toBeNull();
    await settled();
    expect(server.now()).toBe(SERVER);
    clock.ms += 5_000;
    expect(server.now()).toBe(SERVER + 5_000);
    expect(asked()).toBe(1);
  });

  it('takes half of the time that the answer took off', async () => {
    const { clock, server } = clockOf([
      () => {
        clock.ms += 100;
        return Promise.resolve(SERVER);
      },
    ]);
    server.now();
    await settled();
    expect(server.now()).toBe(SERVER + 50);
  });

  it('is measured again after half a minute, and the old difference serves while nobody answers', async () => {
    const { clock, server, asked } = clockOf([
      () => Promise.resolve(SERVER),
      () => Promise.reject(new Error('away')),
      () => Promise.resolve(SERVER + 90_000),
    ]);
    server.now();
    await settled();
    clock.ms += 30_000;
    expect(server.now()).toBe(SERVER + 30_000);
    await settled();
    expect(server.now()).toBe(SERVER + 30_000);
    clock.ms += 1_000;
    server.now();
    await settled();
    expect(asked()).toBe(3);
    expect(server.now()).toBe(SERVER + 90_000);
  });

  it('is forgotten with its connection, also by an answer that is still on its way', async () => {
    let answer: (ms: number) => void = () => undefined;
    const { server } = clockOf([() => new Promise((resolve) => (answer = resolve)), () => Promise.resolve(SERVER + 7)]);
    server.now();
    server.forget();
    expect(server.now()).toBeNull();
    answer(SERVER);
    await settled();
    expect(server.now()).toBe(SERVER + 7);
  });
});

import { afterEach, beforeEach, describe, expect, it, jest } from '@jest/globals';
import { isDemoted, outageWords, RedisOutage } from './redis-outage.js';

const reply = (message: string): Error => Object.assign(new Error(message), { name: 'ReplyError' });

describe('an error of Redis', () => {
  it.each([
    ["OOM command not allowed when used memory > 'maxmemory'.", 'full'],
    ["READONLY You can't write against a read only replica.", 'read-only'],
    ['MISCONF Redis is configured to save RDB snapshots', 'cannot save'],
    ['NOREPLICAS Not enough good replicas to write.', 'replicas'],
    ['LOADING Redis is loading the dataset in memory', 'loading'],
    ["MASTERDOWN Link with MASTER is down and replica-serve-stale-data is set to 'no'.", 'master'],
    ['CLUSTERDOWN The cluster is down', 'Cluster'],
    ['NOAUTH Authentication required.', 'password'],
  ])('"%s" is about the server', (message, words) => {
    expect(outageWords(reply(message))).toContain(words);
  });

  it.each(['WRONGTYPE Operation against a key', "NOGROUP No such key 'k' or consumer group", 'ERR unknown command', 'EXECABORT'])(
    '"%s" is not',
    (message) => {
      expect(outageWords(reply(message))).toBeNull();
    },
  );

  it.each(['Command timed out', 'connect ECONNREFUSED 127.0.0.1:6379', 'Connection is closed.'])('"%s" is silence', (message) => {
    expect(outageWords(new Error(message))).toBe('Redis does not answer');
  });

  it('of a server that is no longer the primary leads to a new connection, others do not', () => {
    expect(['READONLY x', 'MASTERDOWN x', 'OOM x', 'LOADING x', 'NOT READONLY'].map((message) => isDemoted(reply(message)))).toEqual([
      true,
      true,
      false,
      false,
      false,
    ]);
  });
});

describe('an outage', () => {
  const told: string[] = [];
  let failure: Error | null;
  let probes: number;
  let outage: RedisOutage;
  beforeEach(() => {
    jest.useFakeTimers();
    told.length = 0;
    failure = reply('OOM full');
    probes = 0;
    const probe = async (): Promise<void> => {
      probes += 1;
      if (failure !== null) throw failure;
    };
    outage = new RedisOutage(probe, { began: (reason) => told.push(reason), ended: () => told.push('over') });
  });
  afterEach(() => {
    outage.close();
    jest.useRealTimers();
  });

  it('is told once however often it is met, is probed every second, and its end is told once', async () => {
    for (let time = 0; time < 100; time += 1) outage.met(reply('OOM full'));
    await jest.advanceTimersByTimeAsync(5_000);
    expect([told.length, probes]).toEqual([1, 5]);
    expect(outage.reason).toContain('full');
    failure = null;
    await jest.advanceTimersByTimeAsync(5_000);
    expect([told.length, probes, outage.reason]).toEqual([2, 6, null]);
  });

  it('that changes its kind is still one, and shows the newest reason', async () => {
    outage.met(new Error('connect ECONNREFUSED'));
    outage.met(reply('LOADING'));
    expect(outage.reason).toContain('loading');
    expect(told).toEqual(['Redis does not answer']);
  });

  it('is seen by a look as well, and ended by one', async () => {
    expect(await outage.look()).toContain('full');
    failure = null;
    expect(await outage.look()).toBeNull();
    expect(told).toHaveLength(2);
  });

  it('of a doorbell that was closed is not told', async () => {
    outage.met(reply('OOM full'));
    outage.close();
    failure = null;
    await jest.advanceTimersByTimeAsync(5_000);
    outage.met(reply('OOM full'));
    expect([told.length, probes]).toEqual([1, 0]);
  });
});

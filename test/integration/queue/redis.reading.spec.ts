/** How often a reader asks Redis, which is most of what a lonely message costs a worker. */
import { afterAll, beforeAll, expect, it } from '@jest/globals';
import type { Redis } from 'ioredis';
import { LANES, type Doorbell } from '../../../libs/queue/src/index.js';
import { onServers } from '../../support/on-servers.js';
import { canStartRedis, startRedis } from '../../support/servers/private.js';
import type { PrivateServer } from '../../support/servers/server.js';
import { until } from '../../support/until.js';
import { Doorbells, hex, idsOf, newId, newIds, newQueue, reading, ringOf } from './doorbells.js';

onServers('a reader of Redis', readsSeldom, { when: canStartRedis() });

function readsSeldom(): void {
  const doorbells = new Doorbells();
  let server: PrivateServer;
  let doorbell: Doorbell;
  let redis: Redis;
  beforeAll(async () => {
    server = await startRedis();
    doorbell = doorbells.onRedis({ url: server.url, prefix: 'reading' });
    redis = doorbells.raw(server.url);
    await until(() => doorbell.answers(), { what: 'Redis to answer' });
  }, 30_000);
  afterAll(async () => {
    await doorbells.close();
    await server.remove();
  });

  const readsOf = async (work: () => Promise<unknown>): Promise<number> => {
    await redis.config('RESETSTAT');
    await work();
    const calls = /cmdstat_xreadgroup:calls=(\d+)/.exec(await redis.info('commandstats'))?.[1];
    return Number(calls ?? 0);
  };

  it('asks once for a lonely message, and once more whether there is another', async () => {
    const queue = newQueue();
    const reader = doorbells.reader(doorbell, queue);
    await reader.read(reading());
    const id = newId();
    await doorbell.ring([ringOf(queue, [id], 'low')]);
    expect(await readsOf(async () => expect(idsOf(await reader.read(reading({ blockMs: 1_000 })))).toEqual(hex([id])))).toBe(1);
    expect(await readsOf(async () => expect(await reader.read(reading())).toEqual([]))).toBe(1);
  });

  it('asks lane by lane where there is a crowd, so that the high ones come first', async () => {
    const queue = newQueue();
    const reader = doorbells.reader(doorbell, queue);
    await reader.read(reading());
    for (let ring = 0; ring < 5; ring += 1) await doorbell.ring([ringOf(queue, newIds(1), 'high'), ringOf(queue, newIds(1), 'low')]);
    const [waited, after] = [await reader.read(reading({ blockMs: 1_000 })), await reader.read(reading())];
    expect([waited.length, after.length]).toEqual([4, 4]);
    const rest = async (): Promise<void> => expect((await reader.read(reading())).map(({ lane }) => lane)).toEqual(['high', 'low']);
    expect(await readsOf(rest)).toBe(LANES.length);
  });
}

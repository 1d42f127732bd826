/**
 * A Redis that is there and takes no messages: full, a read-only replica, out of reach behind a dead connection. The door is
 * closed at the first sign, so that submissions cost nothing extra; it is told once; and it opens again by itself.
 */
import { afterAll, beforeAll, beforeEach, describe, expect, it } from '@jest/globals';
import type { Redis } from 'ioredis';
import type { Doorbell } from '../../../libs/queue/src/index.js';
import { backends, type RedisPlace } from '../../support/backends.js';
import { canStartRedis, startRedis } from '../../support/servers/private.js';
import type { PrivateServer } from '../../support/servers/server.js';
import { SilentProxy } from '../../support/silent-proxy.js';
import { until } from '../../support/until.js';
import { countsOf, Doorbells, hex, idsOf, newId, newIds, newQueue, reading, redisBackend, ringOf, streamOf } from './doorbells.js';

const isPossible = redisBackend() !== undefined && canStartRedis();
const prefix = 'refusals';

it('there is a Redis to fill, or the run is for SQLite alone', () => {
  expect(isPossible || backends().every(({ name }) => name === 'sqlite') || !canStartRedis()).toBe(true);
});

if (isPossible) {
  describe('a Redis that takes no messages', () => {
    const doorbells = new Doorbells();
    let server: PrivateServer;
    let place: RedisPlace;
    let doorbell: Doorbell;
    let redis: Redis;
    beforeAll(async () => {
      server = await startRedis();
      place = { url: server.url, prefix };
      redis = doorbells.raw(server.url);
    }, 30_000);
    beforeEach(async () => {
      doorbell = doorbells.onRedis(place);
      await until(() => doorbell.answers(), { what: 'Redis to answer' });
      doorbells.told.length = 0;
    });
    afterAll(async () => {
      await doorbells.close();
      await server.remove();
    });

    const admits = (queue: string): boolean => doorbell.admits('acme', queue, 'normal', 1);
    /** Nobody asks, submits or looks: the door opens by itself. */
    const untilItOpens = (): Promise<unknown> => until(() => doorbells.told.includes('it is over'), { what: 'the door to open by itself' });
    const dropWriters = (): Promise<unknown> => redis.config('SET', 'maxmemory', '0');

    it('because it is full is told once, admits nothing, is read by old readers and new ones, and opens by itself', async () => {
      const queue = newQueue();
      const [first, second] = [newId(), newId()];
      const reader = doorbells.reader(doorbell, queue);
      await reader.read(reading());
      await doorbell.ring([ringOf(queue, [first]), ringOf(queue, [second])]);
      await redis.config('SET', 'maxmemory', '1');
      await expect(doorbell.ring([ringOf(queue, newIds(1))])).rejects.toThrow('OOM');
      expect(admits(queue)).toBe(false);
      for (let time = 0; time < 20; time += 1) await expect(doorbell.ring([ringOf(queue, newIds(1))])).rejects.toThrow('out of order');
      expect((await doorbell.condition()).trouble).toContain('full');
      expect(await doorbell.answers()).toBe(true);
      const deliveries = [
        ...(await reader.read(reading({ tasks: 1 }))),
        ...(await doorbells.reader(doorbell, queue, 'newcomer').read(reading({ tasks: 1 }))),
      ];
      expect(idsOf(deliveries)).toEqual(hex([first, second]));
      await reader.finish(deliveries);
      await dropWriters();
      await untilItOpens();
      expect(admits(queue)).toBe(true);
      await doorbell.ring([ringOf(queue, newIds(1))]);
      expect(doorbells.told).toHaveLength(2);
      expect(await redis.xlen(streamOf(prefix, queue))).toBe(1);
    });

    it('because it became a replica is left for a new connection, and opens by itself when it is a primary again', async () => {
      const queue = newQueue();
      const reader = doorbells.reader(doorbell, queue);
      await reader.read(reading());
      const clients = async (): Promise<string[]> =>
        [...String(await redis.client('LIST')).matchAll(/^id=(\d+) /gm)].map((match) => match[1] ?? '');
      const before = await clients();
      await redis.replicaof('127.0.0.1', 1);
      await expect(doorbell.ring([ringOf(queue, newIds(1))])).rejects.toThrow('READONLY');
      await expect(reader.read(reading())).rejects.toThrow(/READONLY|UNBLOCKED/);
      await until(async () => (await doorbell.condition()).trouble?.includes('read-only'), { what: 'the replica to be recognised' });
      await until(async () => (await clients()).filter((id) => !before.includes(id)).length > 0, { what: 'a new connection' });
      expect(admits(queue)).toBe(false);
      await redis.replicaof('NO', 'ONE');
      await untilItOpens();
      const id = newId();
      await doorbell.ring([ringOf(queue, [id])]);
      expect(idsOf(await until(async () => reader.read(reading({ blockMs: 200 })), { what: 'the message' }))).toEqual(hex([id]));
      expect(doorbells.told).toHaveLength(2);
    });

    it('because its connection is dead without a word is reached by a new one, and nothing is sent meanwhile', async () => {
      const queue = newQueue();
      const { proxy, url } = await SilentProxy.before(server.url);
      doorbell = doorbells.onRedis({ url, prefix });
      await until(() => doorbell.answers(), { what: 'Redis to answer' });
      proxy.fallSilent();
      await expect(doorbell.ring([ringOf(queue, newIds(1))])).rejects.toThrow('timed out');
      expect(admits(queue)).toBe(false);
      proxy.speak();
      await untilItOpens();
      await doorbell.ring([ringOf(queue, newIds(1))]);
      expect(await redis.xlen(streamOf(prefix, queue))).toBe(1);
      await doorbell.close();
      await proxy.close();
    });

    it('for one queue only, where something else stands in its place, takes those of other queues and keeps no false count', async () => {
      const [broken, whole] = [newQueue(), newQueue()];
      await redis.set(streamOf(prefix, broken), 'not a stream');
      await expect(doorbell.ring([ringOf(broken, newIds(5))])).rejects.toThrow('WRONGTYPE');
      await doorbell.ring([ringOf(whole, newIds(1))]);
      expect((await doorbell.condition()).trouble).toBeNull();
      expect(await doorbell.position(broken, 'normal')).toMatchObject({ length: 0, lastDeliveredAt: null });
      await doorbell.tidy(broken, 60_000);
      expect(await redis.exists(countsOf(prefix, broken))).toBe(0);
      await redis.del(streamOf(prefix, broken));
      const id = newId();
      await doorbell.ring([ringOf(broken, [id])]);
      expect(idsOf(await doorbells.reader(doorbell, broken).read(reading()))).toEqual(hex([id]));
      expect(doorbells.told).toEqual([]);
    });

    it('that would throw messages away is named, once; where the question is not allowed nothing is said', async () => {
      await redis.config('SET', 'maxmemory-policy', 'allkeys-lru');
      try {
        const careless = doorbells.onRedis(place);
        const { advice } = await until(async () => {
          const condition = await careless.condition();
          return condition.advice !== null && condition;
        });
        expect(advice).toContain('allkeys-lru');
        expect(advice).toContain('noeviction');
        expect(doorbells.told).toEqual([advice]);
        await redis.acl('SETUSER', 'app', 'on', '>secret', '~*', '+@all', '-config');
        const address = new URL(server.url);
        [address.username, address.password] = ['app', 'secret'];
        const strict = doorbells.onRedis({ url: address.href, prefix });
        await until(async () => (await strict.condition()).trouble === null, { what: 'the limited user to be let in' });
        await until(() => doorbells.errors.some((error) => error.message.includes('NOPERM')), { what: 'the question to be refused' });
        expect(await strict.condition()).toEqual({ trouble: null, advice: null });
        expect(doorbells.told).toEqual([advice]);
      } finally {
        await redis.config('SET', 'maxmemory-policy', 'noeviction');
      }
    });
  });
}

/** Redis is disposable: groups, streams and everything may vanish while readers stand at the door, and work goes on. */
import { afterAll, beforeAll, describe, expect, it } from '@jest/globals';
import type { Redis } from 'ioredis';
import { LANES, type Delivery, type Doorbell, type DoorbellReader } from '../../../libs/queue/src/index.js';
import { backends, type RedisPlace } from '../../support/backends.js';
import { canStartRedis, startRedis } from '../../support/servers/private.js';
import type { PrivateServer } from '../../support/servers/server.js';
import { until, within } from '../../support/until.js';
import {
  BELIEF_MS,
  Doorbells,
  drain,
  hex,
  idsOf,
  newId,
  newIds,
  newQueue,
  reading,
  redisBackend,
  ringOf,
  streamOf,
  WINDOW,
} from './doorbells.js';

const isPossible = redisBackend() !== undefined && canStartRedis();

it('there is a Redis to empty, or the run is for SQLite alone', () => {
  expect(isPossible || backends().every(({ name }) => name === 'sqlite') || !canStartRedis()).toBe(true);
});

if (isPossible) {
  describe('a Redis that forgets', () => {
    const doorbells = new Doorbells();
    const prefix = 'recovery';
    let server: PrivateServer;
    let place: RedisPlace;
    let doorbell: Doorbell;
    let redis: Redis;
    beforeAll(async () => {
      server = await startRedis();
      place = { url: server.url, prefix };
      doorbell = doorbells.onRedis(place);
      redis = doorbells.raw(server.url);
      await until(() => doorbell.answers(), { what: 'Redis to answer' });
    }, 30_000);
    afterAll(async () => {
      await doorbells.close();
      await server.remove();
    });

    /** Reads until something comes, as a worker does: an error means to try again. */
    async function nextOf(reader: DoorbellReader, tasks = 100): Promise<Delivery[]> {
      return until(
        async () => {
          const deliveries = await reader.read(reading({ tasks, blockMs: 200 }));
          return deliveries.length > 0 && deliveries;
        },
        { deadlineMs: 5_000, everyMs: 1, what: 'a delivery' },
      );
    }

    it('gives ten readers that come at once their groups, and loses nothing that was rung before', async () => {
      await redis.flushall();
      const queue = newQueue();
      const ids = newIds(30);
      await doorbell.ring(ids.map((id, index) => ringOf(queue, [id], LANES[index % 3])));
      const others = Array.from({ length: 10 }, () => doorbells.onRedis(place));
      const readers = others.map((other, index) => doorbells.reader(other, queue, `worker-${index}`));
      const first = await Promise.all(readers.map((reader) => reader.read(reading({ tasks: 1 }))));
      const rest = await Promise.all(readers.map((reader) => drain(reader)));
      expect([...first.flat(), ...rest.flat()].flatMap((delivery) => idsOf([delivery])).sort()).toEqual(hex(ids).sort());
      for (const lane of LANES) expect(await redis.xinfo('GROUPS', streamOf(prefix, queue, lane))).toHaveLength(1);
    });

    const losses: [string, (queue: string) => Promise<unknown>][] = [
      ['everything', () => redis.flushall()],
      ['one stream', (queue) => redis.del(streamOf(prefix, queue))],
      ['all streams of the queue', (queue) => redis.del(...LANES.map((lane) => streamOf(prefix, queue, lane)))],
      ['one group', (queue) => redis.xgroup('DESTROY', streamOf(prefix, queue), 'workers')],
    ];

    it.each(losses)('that has lost %s under a waiting reader serves it again', async (_what, lose) => {
      const queue = newQueue();
      const reader = doorbells.reader(doorbell, queue);
      await reader.read(reading());
      const waiting = reader.read(reading({ blockMs: 1_000 })).catch((error: unknown) => error);
      await until(async () => String(await redis.client('LIST')).includes('cmd=xreadgroup'), { everyMs: 5, what: 'the reader to wait' });
      await lose(queue);
      const id = newId();
      await doorbell.ring([ringOf(queue, [id])]);
      const woken = await within(waiting, 4_000, 'the waiting read to settle');
      const seen = Array.isArray(woken) ? idsOf(woken as Delivery[]) : [];
      if (seen.length === 0) seen.push(...idsOf(await nextOf(reader)));
      expect(seen).toEqual(hex([id]));
      const later = newId();
      await doorbell.ring([ringOf(queue, [later], 'low')]);
      expect(idsOf(await nextOf(reader))).toEqual(hex([later]));
    });

    it.each(losses)('that has lost %s between two reads serves the reader again', async (_what, lose) => {
      const queue = newQueue();
      const reader = doorbells.reader(doorbell, queue);
      await reader.read(reading());
      await lose(queue);
      const id = newId();
      await doorbell.ring([ringOf(queue, [id])]);
      expect(idsOf(await nextOf(reader))).toEqual(hex([id]));
    });

    // With room for few it reads the lanes one after the other, with room for many in one command.
    it.each([10, 100])(
      'that has lost one lane does not make a reader drop what it has read from another, with room for %d',
      async (tasks) => {
        const queue = newQueue();
        const reader = doorbells.reader(doorbell, queue);
        await reader.read(reading({ tasks }));
        await redis.xgroup('DESTROY', streamOf(prefix, queue, 'low'), 'workers');
        const [high, low] = [newId(), newId()];
        await doorbell.ring([ringOf(queue, [high], 'high'), ringOf(queue, [low], 'low')]);
        const found = await nextOf(reader, tasks);
        if (found.length === 1) found.push(...(await nextOf(reader, tasks)));
        expect(idsOf(found)).toEqual(hex([high, low]));
      },
    );

    it('that has lost a delivered message takes its end without a word', async () => {
      const queue = newQueue();
      const reader = doorbells.reader(doorbell, queue);
      await doorbell.ring([ringOf(queue, newIds(3))]);
      const deliveries = await reader.read(reading());
      await redis.flushall();
      await reader.finish(deliveries);
      await reader.finish(deliveries);
      await reader.finish([]);
      const id = newId();
      await doorbell.ring([ringOf(queue, [id])]);
      expect(idsOf(await nextOf(reader))).toEqual(hex([id]));
    });

    it('opens a window that was full before', async () => {
      const queue = newQueue();
      await doorbell.ring([ringOf(queue, newIds(WINDOW))]);
      expect(doorbell.admits('acme', queue, 'normal', 1)).toBe(false);
      await redis.flushall();
      doorbells.clock.pass(BELIEF_MS);
      expect(doorbell.admits('acme', queue, 'normal', 1)).toBe(true);
      await doorbell.ring([ringOf(queue, newIds(1))]);
      expect(doorbell.admits('acme', queue, 'normal', WINDOW - 1)).toBe(true);
    });

    it('has no position for what it does not know', async () => {
      await redis.flushall();
      expect(await doorbell.position(newQueue(), 'high')).toMatchObject({ length: 0, lastDeliveredAt: null });
    });

    it('may be out of memory: ringing fails, reading goes on', async () => {
      const queue = newQueue();
      const reader = doorbells.reader(doorbell, queue);
      const id = newId();
      await doorbell.ring([ringOf(queue, [id])]);
      await reader.read(reading({ lanes: ['low'] }));
      await redis.config('SET', 'maxmemory', '1');
      try {
        await expect(doorbell.ring([ringOf(queue, newIds(1))])).rejects.toThrow('OOM');
      } finally {
        await redis.config('SET', 'maxmemory', '0');
        await until(async () => (await doorbell.condition()).trouble === null, { what: 'messages to be taken again' });
      }
      const deliveries = await nextOf(reader);
      expect(idsOf(deliveries)).toEqual(hex([id]));
    });

    it('may hold something else under the name of a stream: ringing and reading fail, nothing hangs', async () => {
      const queue = newQueue();
      await redis.set(streamOf(prefix, queue), 'not a stream');
      const reader = doorbells.reader(doorbell, queue);
      await expect(doorbell.ring([ringOf(queue, newIds(1))])).rejects.toThrow('WRONGTYPE');
      await expect(reader.read(reading())).rejects.toThrow('WRONGTYPE');
      expect(await doorbell.position(queue, 'normal')).toMatchObject({ length: 0, lastDeliveredAt: null });
      await redis.del(streamOf(prefix, queue));
      await doorbell.ring([ringOf(queue, newIds(1))]);
      expect(await nextOf(reader)).toHaveLength(1);
    });
  });
}

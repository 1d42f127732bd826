/** What lies around in Redis: foreign and broken entries, messages nobody finished, readers that are gone. */
import { afterAll, beforeAll, describe, expect, it } from '@jest/globals';
import type { Redis } from 'ioredis';
import { LANES, type Doorbell } from '../../../libs/queue/src/index.js';
import { backends } from '../../support/backends.js';
import { until } from '../../support/until.js';
import {
  countsOf,
  Doorbells,
  drain,
  hex,
  idsOf,
  newId,
  newIds,
  newQueue,
  reading,
  redisBackend,
  redisPlace,
  ringOf,
  streamOf,
  WINDOW,
} from './doorbells.js';
import { ageReaders } from './reader-age.js';

const place = redisPlace();
const IDLE_MS = 60_000;

it('there is a Redis, or the run is for SQLite alone', () => {
  expect(place !== null || backends().every(({ name }) => name === 'sqlite')).toBe(true);
});

if (place !== null && redisBackend() !== undefined) {
  describe('in the streams', () => {
    const doorbells = new Doorbells();
    const { prefix } = place;
    let doorbell: Doorbell;
    let redis: Redis;
    beforeAll(async () => {
      doorbell = doorbells.onRedis(place);
      redis = doorbells.raw(place.url);
      await until(() => doorbell.answers(), { what: 'Redis to answer' });
    });
    afterAll(() => doorbells.close());

    const pending = async (queue: string): Promise<number> => Number((await redis.xpending(streamOf(prefix, queue), 'workers'))[0]);
    const readersOf = async (queue: string): Promise<string[]> => {
      const found = (await redis.xinfo('CONSUMERS', streamOf(prefix, queue), 'workers')) as unknown[][];
      return found.map((fields) => String(fields[fields.indexOf('name') + 1])).sort();
    };
    /** As if every pending message had been delivered long ago. */
    async function age(queue: string, consumer: string): Promise<void> {
      const stream = streamOf(prefix, queue);
      const entries = (await redis.xpending(stream, 'workers', '-', '+', 1_000, consumer)) as [string][];
      for (const [id] of entries) await redis.call('XCLAIM', stream, 'workers', consumer, '0', id, 'IDLE', String(IDLE_MS + 1), 'JUSTID');
    }

    it.each<[string, (string | Buffer)[]]>([
      ['of foreign fields', ['hello', 'world']],
      ['without ids', ['t', 'acme']],
      ['with ids of half a length', ['t', 'acme', 'i', Buffer.alloc(24, 1)]],
      ['with ids of no length', ['t', 'acme', 'i', '']],
      ['with text for ids', ['t', 'acme', 'i', 'not an id']],
    ])('an entry %s is delivered as naming nobody, and is gone when finished', async (_what, fields) => {
      const queue = newQueue();
      const good = newId();
      await redis.xadd(streamOf(prefix, queue), '*', ...fields);
      await doorbell.ring([ringOf(queue, [good])]);
      const reader = doorbells.reader(doorbell, queue);
      const deliveries = await reader.read(reading());
      expect(deliveries.map(({ ids }) => hex(ids))).toEqual([[], hex([good])]);
      await reader.finish(deliveries);
      expect([await redis.xlen(streamOf(prefix, queue)), await pending(queue)]).toEqual([0, 0]);
      expect(await redis.hgetall(countsOf(prefix, queue))).toEqual({ acme: '0' });
    });

    it('nothing is left after everything was read and finished', async () => {
      const queue = newQueue();
      await doorbell.ring(LANES.flatMap((lane) => newIds(10).map((id) => ringOf(queue, [id], lane))));
      await drain(doorbells.reader(doorbell, queue));
      for (const lane of LANES) expect(await redis.xlen(streamOf(prefix, queue, lane))).toBe(0);
      expect(await pending(queue)).toBe(0);
      await doorbell.tidy(queue, IDLE_MS);
      expect(await redis.exists(...LANES.map((lane) => countsOf(prefix, queue, lane)))).toBe(0);
    });

    it('a full window lets a task through now and then, to learn what is true', async () => {
      const queue = newQueue();
      const admits = (): boolean => doorbell.admits('acme', queue, 'normal', 1);
      await doorbell.ring([ringOf(queue, newIds(WINDOW))]);
      expect(admits()).toBe(false);
      doorbells.clock.pass(25);
      expect([admits(), admits()]).toEqual([true, false]);
      await drain(doorbells.reader(doorbell, queue));
      doorbells.clock.pass(25);
      expect(admits()).toBe(true);
      await doorbell.ring([ringOf(queue, newIds(1))]);
      expect([admits(), admits(), admits()]).toEqual([true, true, true]);
    });

    it('all keys of a queue share one slot of a cluster', async () => {
      const queue = newQueue();
      await doorbell.ring(LANES.map((lane) => ringOf(queue, newIds(1), lane)));
      await drain(doorbells.reader(doorbell, queue));
      const keys = await redis.keys(`${prefix}:*{${queue}}*`);
      expect(keys.length).toBeGreaterThanOrEqual(6);
      expect(keys.every((key) => key.includes(`{${queue}}`) && key.startsWith(`${prefix}:`))).toBe(true);
    });

    describe('tidying', () => {
      it('drops messages that nobody finished, and their tasks from the window', async () => {
        const queue = newQueue();
        const ids = newIds(250);
        await doorbell.ring(ids.map((id) => ringOf(queue, [id])));
        const lost = doorbells.reader(doorbell, queue, 'lost');
        await lost.read(reading({ tasks: 250 }));
        await doorbell.tidy(queue, IDLE_MS);
        expect([await redis.xlen(streamOf(prefix, queue)), await pending(queue)]).toEqual([250, 250]);
        await age(queue, 'lost');
        await doorbell.tidy(queue, IDLE_MS);
        expect([await redis.xlen(streamOf(prefix, queue)), await pending(queue)]).toEqual([0, 0]);
        expect(await redis.exists(countsOf(prefix, queue))).toBe(0);
      });

      it('leaves what is on its way and what is being worked on', async () => {
        const queue = newQueue();
        const [old, held, fresh] = [newId(), newId(), newId()];
        await doorbell.ring([ringOf(queue, [old])]);
        await doorbells.reader(doorbell, queue, 'lost').read(reading({ tasks: 1 }));
        await age(queue, 'lost');
        await doorbell.ring([ringOf(queue, [held])]);
        const busy = doorbells.reader(doorbell, queue, 'busy');
        const deliveries = await busy.read(reading({ tasks: 1 }));
        await doorbell.ring([ringOf(queue, [fresh])]);
        await doorbell.tidy(queue, IDLE_MS);
        expect(await pending(queue)).toBe(1);
        expect(await redis.hgetall(countsOf(prefix, queue))).toEqual({ acme: '2' });
        await busy.finish(deliveries);
        expect(idsOf(await drain(busy))).toEqual(hex([fresh]));
        expect(await redis.xlen(streamOf(prefix, queue))).toBe(0);
      });

      it('drops foreign entries that nobody finished', async () => {
        const queue = newQueue();
        await redis.xadd(streamOf(prefix, queue), '*', 'hello', 'world');
        await doorbells.reader(doorbell, queue, 'lost').read(reading());
        await age(queue, 'lost');
        await doorbell.tidy(queue, IDLE_MS);
        expect([await redis.xlen(streamOf(prefix, queue)), await pending(queue)]).toEqual([0, 0]);
      });

      it('forgets readers that are gone, unless something is pending with them', async () => {
        const queue = newQueue();
        await doorbell.ring(newIds(3).map((id) => ringOf(queue, [id])));
        await doorbells.reader(doorbell, queue, 'holds').read(reading({ tasks: 1 }));
        for (const name of ['gone', 'here']) {
          const done = doorbells.reader(doorbell, queue, name);
          await done.finish(await done.read(reading({ tasks: 1 })));
        }
        expect(await readersOf(queue)).toEqual(['gone', 'here', 'holds']);
        await ageReaders(redis, streamOf(prefix, queue), ['holds', 'gone'], 10 * 60_000);
        await doorbell.tidy(queue, IDLE_MS);
        expect(await readersOf(queue)).toEqual(['here', 'holds']);
        expect(await pending(queue)).toBe(1);
      });

      it('a reader that was forgotten while it waited gets its next message', async () => {
        const queue = newQueue();
        const reader = doorbells.reader(doorbell, queue, 'forgotten');
        await doorbell.ring([ringOf(queue, newIds(1))]);
        await reader.finish(await reader.read(reading()));
        const waiting = reader.read(reading({ blockMs: 5_000 }));
        await until(async () => String(await redis.client('LIST')).includes('cmd=xreadgroup'), { everyMs: 5, what: 'the reader to wait' });
        await redis.xgroup('DELCONSUMER', streamOf(prefix, queue), 'workers', 'forgotten');
        const id = newId();
        await doorbell.ring([ringOf(queue, [id])]);
        const deliveries = await waiting;
        expect(idsOf(deliveries)).toEqual(hex([id]));
        await reader.finish(deliveries);
        expect([await redis.xlen(streamOf(prefix, queue)), await pending(queue)]).toEqual([0, 0]);
      });

      it('removes delivered entries that are pending with nobody', async () => {
        const queue = newQueue();
        await doorbell.ring(newIds(3).map((id) => ringOf(queue, [id])));
        await doorbells.reader(doorbell, queue, 'deleted').read(reading());
        await redis.xgroup('DELCONSUMER', streamOf(prefix, queue), 'workers', 'deleted');
        const fresh = newId();
        await doorbell.ring([ringOf(queue, [fresh])]);
        await doorbell.tidy(queue, IDLE_MS);
        expect(await redis.xlen(streamOf(prefix, queue))).toBe(1);
        expect(idsOf(await drain(doorbells.reader(doorbell, queue)))).toEqual(hex([fresh]));
      });

      it('may be done by several at once, while readers read', async () => {
        const queue = newQueue();
        const ids = newIds(200);
        const reader = doorbells.reader(doorbell, queue);
        const seen: string[] = [];
        let isOver = false;
        const ringing = (async (): Promise<void> => {
          for (const id of ids) await doorbell.ring([ringOf(queue, [id])]);
        })();
        const tidying = [1, 2, 3].map(async () => {
          while (!isOver) await doorbell.tidy(queue, IDLE_MS);
        });
        try {
          await until(
            async () => {
              const deliveries = await reader.read(reading({ tasks: 10, blockMs: 50 }));
              seen.push(...idsOf(deliveries));
              await reader.finish(deliveries);
              return seen.length >= ids.length;
            },
            { everyMs: 0, what: 'every message' },
          );
        } finally {
          isOver = true;
        }
        await Promise.all([ringing, ...tidying]);
        expect(seen.sort()).toEqual(hex(ids).sort());
      });
    });
  });
}

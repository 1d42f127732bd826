/** A Redis that is absent, dies, or answers nobody: every call ends soon and says so, and everything works when it is back. */
import { afterAll, beforeAll, beforeEach, describe, expect, it } from '@jest/globals';
import type { Delivery, Doorbell, DoorbellReader } from '../../../libs/queue/src/index.js';
import { backends, type RedisPlace } from '../../support/backends.js';
import { canStartRedis, startRedis } from '../../support/servers/private.js';
import type { PrivateServer } from '../../support/servers/server.js';
import { until, within } from '../../support/until.js';
import { Doorbells, hex, idsOf, LIMITS, newId, newIds, newQueue, reading, redisBackend, ringOf } from './doorbells.js';

const isPossible = redisBackend() !== undefined && canStartRedis();
/** The longest that a call may take while Redis is away: connecting, or a command and what a reader adds to it. */
const SOON_MS = LIMITS.connectTimeoutMs + LIMITS.commandTimeoutMs + 2_500;

it('there is a Redis to stop, or the run is for SQLite alone', () => {
  expect(isPossible || backends().every(({ name }) => name === 'sqlite') || !canStartRedis()).toBe(true);
});

if (isPossible) {
  describe('a Redis that is away', () => {
    const doorbells = new Doorbells();
    let server: PrivateServer;
    let place: RedisPlace;
    beforeAll(async () => {
      server = await startRedis();
      place = { url: server.url, prefix: 'outage' };
    }, 30_000);
    beforeEach(async () => {
      await server.restart();
    });
    afterAll(async () => {
      await doorbells.close();
      await server.remove();
    });

    const answering = (doorbell: Doorbell): Promise<boolean> => until(() => doorbell.answers(), { what: 'Redis to answer' });

    async function expectAway(doorbell: Doorbell, queue: string, reader: DoorbellReader, deliveries: Delivery[] = []): Promise<void> {
      const calls = {
        ring: doorbell.ring([ringOf(queue, newIds(1))]).then(
          () => 'rung',
          () => 'refused',
        ),
        read: reader.read(reading({ blockMs: 500 })).then(
          () => 'read',
          () => 'refused',
        ),
        position: doorbell.position(queue, 'normal'),
        answers: doorbell.answers(),
        finish: reader.finish(deliveries).then(() => 'no error'),
      };
      const ends = await within(Promise.all(Object.values(calls)), SOON_MS, 'every call to end');
      expect(Object.fromEntries(Object.keys(calls).map((name, index) => [name, ends[index]]))).toEqual({
        ring: 'refused',
        read: 'refused',
        position: null,
        answers: false,
        finish: 'no error',
      });
    }

    /** As a worker: an error means to try again. */
    async function expectWorking(doorbell: Doorbell, queue: string, reader: DoorbellReader): Promise<void> {
      await answering(doorbell);
      const id = newId();
      await doorbell.ring([ringOf(queue, [id])]);
      const seen: string[] = [];
      await until(
        async () => {
          const deliveries = await reader.read(reading({ blockMs: 200 }));
          seen.push(...idsOf(deliveries));
          await reader.finish(deliveries);
          return seen.includes(id.toString('hex'));
        },
        { deadlineMs: SOON_MS + 2_000, everyMs: 1, what: 'the message' },
      );
      expect(doorbell.admits('acme', queue, 'normal', 1)).toBe(true);
    }

    it('at the start: nothing is admitted or kept for later, everything ends soon, and works when it has come', async () => {
      await server.stop();
      const queue = newQueue();
      const doorbell = doorbells.onRedis(place);
      const reader = doorbells.reader(doorbell, queue);
      expect(doorbell.admits('acme', queue, 'normal', 1)).toBe(false);
      await expectAway(doorbell, queue, reader);
      await server.restart();
      await answering(doorbell);
      expect((await doorbell.position(queue, 'normal'))?.length).toBe(0);
      await expectWorking(doorbell, queue, reader);
    }, 20_000);

    it('killed without persistence: what was delivered and not is forgotten, what comes after arrives', async () => {
      const queue = newQueue();
      const doorbell = doorbells.onRedis(place);
      const reader = doorbells.reader(doorbell, queue);
      await answering(doorbell);
      await doorbell.ring([ringOf(queue, newIds(1)), ringOf(queue, newIds(1))]);
      const deliveries = await reader.read(reading({ tasks: 1 }));
      expect(deliveries).toHaveLength(1);
      const waiting = reader.read(reading({ lanes: ['low'], blockMs: 30_000 })).then(
        () => 'read',
        () => 'refused',
      );
      await server.kill9();
      expect(await within(waiting, 1_000, 'the waiting read to end')).toBe('refused');
      await until(() => !doorbell.admits('acme', queue, 'normal', 1), { what: 'the loss to be noticed' });
      await expectAway(doorbell, queue, reader, deliveries);
      await server.restart();
      await expectWorking(doorbell, queue, reader);
      await reader.finish(deliveries);
      expect((await doorbell.position(queue, 'normal'))?.length).toBe(0);
    }, 20_000);

    it('for a moment between two reads costs the next read no long wait', async () => {
      const queue = newQueue();
      const doorbell = doorbells.onRedis(place);
      const reader = doorbells.reader(doorbell, queue);
      await reader.read(reading());
      await server.restart();
      await answering(doorbell);
      const id = newId();
      await doorbell.ring([ringOf(queue, [id])]);
      const patient = LIMITS.connectTimeoutMs - 200;
      expect(idsOf(await within(reader.read(reading()), patient, 'a read on a new connection'))).toEqual(hex([id]));
    }, 20_000);

    it('hung: a waiting read ends by its own deadline, and later reads work when it goes on', async () => {
      const queue = newQueue();
      const doorbell = doorbells.onRedis(place);
      const reader = doorbells.reader(doorbell, queue);
      await answering(doorbell);
      await reader.read(reading());
      const waiting = reader.read(reading({ blockMs: 500 })).then(
        () => 'read',
        () => 'refused',
      );
      await server.freeze();
      expect(await within(waiting, 500 + SOON_MS, 'the waiting read to end')).toBe('refused');
      await expectAway(doorbell, queue, reader);
      await server.thaw();
      await expectWorking(doorbell, queue, reader);
    }, 20_000);

    it('hung: a reader that is told to stop stops', async () => {
      const doorbell = doorbells.onRedis(place);
      const reader = doorbells.reader(doorbell, newQueue());
      await reader.read(reading());
      await server.freeze();
      const abort = new AbortController();
      const waiting = reader.read(reading({ blockMs: 30_000, signal: abort.signal }));
      const joining = doorbells.reader(doorbell, newQueue()).read(reading({ blockMs: 30_000, signal: abort.signal }));
      await new Promise((resolve) => setImmediate(resolve));
      abort.abort();
      expect(await within(Promise.all([waiting, joining]), 500, 'the reads to end')).toEqual([[], []]);
      await server.thaw();
    }, 20_000);

    it('is told about, and closing does not hang', async () => {
      const before = doorbells.errors.length;
      await server.stop();
      const doorbell = doorbells.onRedis(place);
      await until(() => doorbells.errors.length > before, { what: 'the error to be told' });
      await within(doorbell.close(), 500, 'the doorbell to close');
      expect(await doorbell.answers()).toBe(false);
    }, 20_000);
  });
}

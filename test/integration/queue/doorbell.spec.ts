/** What the queue port promises, the same in process and on Redis. */
import { afterAll, beforeAll, describe, expect, it } from '@jest/globals';
import { laneAt, laneNumber, laneOf, laneOrder, LANES, type Delivery, type Doorbell, type Lane } from '../../../libs/queue/src/index.js';
import { backends } from '../../support/backends.js';
import { until, within } from '../../support/until.js';
import { BELIEF_MS, Doorbells, drain, hex, idsOf, newId, newIds, newQueue, reading, ringOf, WINDOW } from './doorbells.js';

describe.each(backends())('the doorbell beside $name', (backend) => {
  const doorbells = new Doorbells();
  let doorbell: Doorbell;
  beforeAll(async () => {
    const place = backend.redisUrl();
    doorbell = place === null ? doorbells.inProcess() : doorbells.onRedis(place);
    await until(() => doorbell.answers(), { what: 'the doorbell to answer' });
  });
  afterAll(() => doorbells.close());

  describe('a message', () => {
    it('is delivered once, whole, and is gone when finished', async () => {
      const queue = newQueue();
      const ids = newIds(3);
      await doorbell.ring([ringOf(queue, ids, 'high', 'tenant ü')]);
      const reader = doorbells.reader(doorbell, queue);
      const deliveries = await reader.read(reading());
      expect(deliveries).toMatchObject([{ tenant: 'tenant ü', queue, lane: 'high', ids }]);
      expect(await reader.read(reading())).toEqual([]);
      expect((await doorbell.position(queue, 'high'))?.length).toBe(1);
      await reader.finish(deliveries);
      expect((await doorbell.position(queue, 'high'))?.length).toBe(0);
    });

    it('keeps the bytes of its ids', async () => {
      const queue = newQueue();
      const ids = [Buffer.alloc(16), Buffer.alloc(16, 255), Buffer.from('0d0a2a24310d0a00ff80c328e28228f0', 'hex')];
      await doorbell.ring([ringOf(queue, ids)]);
      expect(idsOf(await drain(doorbells.reader(doorbell, queue)))).toEqual(hex(ids));
    });

    it('of many ids arrives complete, in however many parts', async () => {
      const queue = newQueue();
      const ids = newIds(1_000);
      await doorbell.ring([ringOf(queue, ids)]);
      expect(idsOf(await drain(doorbells.reader(doorbell, queue)))).toEqual(hex(ids));
      expect((await doorbell.position(queue, 'normal'))?.length).toBe(0);
    });

    it('reaches only the readers of its queue', async () => {
      const [here, there] = [newQueue(), newQueue()];
      const [a, b] = [newId(), newId()];
      await doorbell.ring([ringOf(here, [a]), ringOf(there, [b])]);
      expect(idsOf(await drain(doorbells.reader(doorbell, here)))).toEqual(hex([a]));
      expect(idsOf(await drain(doorbells.reader(doorbell, there)))).toEqual(hex([b]));
    });

    it('rung before anybody read the queue is not lost', async () => {
      const queue = newQueue();
      const ids = newIds(5);
      for (const id of ids) await doorbell.ring([ringOf(queue, [id])]);
      expect(idsOf(await drain(doorbells.reader(doorbell, queue)))).toEqual(hex(ids));
    });

    it('tells how long it has waited', async () => {
      const queue = newQueue();
      const reader = doorbells.reader(doorbell, queue);
      // The clock of the other side is learned in passing; until then a message has waited for no time.
      const waited = async (): Promise<number> => {
        await doorbell.ring([ringOf(queue, newIds(1))]);
        doorbells.clock.pass(60_000);
        const [delivery] = await reader.read(reading());
        return delivery!.waitedMs;
      };
      // And learned anew when it is old, which the jump of our clock makes it: whichever comes first, message or answer.
      await until(async () => (await waited()) > 50_000, { what: 'a wait of about a minute that is told' });
    });

    it('may be one of thousands: none is trimmed', async () => {
      const queue = newQueue();
      const ids = newIds(5_000);
      const rings = ids.map((id) => ringOf(queue, [id]));
      for (let from = 0; from < rings.length; from += 500) await doorbell.ring(rings.slice(from, from + 500));
      expect((await doorbell.position(queue, 'normal'))?.length).toBe(5_000);
      expect(new Set(idsOf(await drain(doorbells.reader(doorbell, queue))))).toEqual(new Set(hex(ids)));
    });
  });

  describe('the lanes', () => {
    it('are asked in the order given, each in the order of arrival', async () => {
      const queue = newQueue();
      const ids = newIds(6);
      const lanes: Lane[] = ['low', 'normal', 'high', 'low', 'normal', 'high'];
      for (const [index, lane] of lanes.entries()) await doorbell.ring([ringOf(queue, [ids[index]!], lane)]);
      const reader = doorbells.reader(doorbell, queue);
      const first = await reader.read(reading({ lanes: ['low', 'high', 'normal'], tasks: 3 }));
      expect(idsOf(first)).toEqual(hex([ids[0]!, ids[3]!, ids[2]!]));
      expect(idsOf(await reader.read(reading()))).toEqual(hex([ids[5]!, ids[1]!, ids[4]!]));
    });

    it('let low work through while high work never ends', async () => {
      const queue = newQueue();
      const low = newIds(20);
      for (const id of low) await doorbell.ring([ringOf(queue, [id], 'low')]);
      const reader = doorbells.reader(doorbell, queue);
      let served = 0;
      for (let turn = 0; turn < 160; turn += 1) {
        await doorbell.ring([ringOf(queue, newIds(1), 'high'), ringOf(queue, newIds(1), 'normal')]);
        const [delivery] = await reader.read(reading({ lanes: laneOrder(turn), tasks: 1 }));
        if (delivery?.lane === 'low') served += 1;
      }
      expect(served).toBe(20);
    });

    it('let hardly anything of a lower one past whoever has waited, while the high one is full', async () => {
      const queue = newQueue();
      const [high, low] = [newIds(30), newIds(30)];
      for (const lane of ['high', 'low'] as const)
        for (const id of lane === 'high' ? high : low) await doorbell.ring([ringOf(queue, [id], lane)]);
      const reader = doorbells.reader(doorbell, queue);
      // As a worker reads: it waits, and once something has come it reads on without waiting.
      const waited = await reader.read(reading({ tasks: 1_000, blockMs: 1_000 }));
      const next = await reader.read(reading({ tasks: 20 }));
      const lows = (deliveries: readonly Delivery[]): number => deliveries.filter(({ lane }) => lane === 'low').length;
      expect(lows(waited)).toBeLessThanOrEqual(waited.length < 60 ? 2 : 30);
      expect(lows(next)).toBe(0);
      expect(idsOf([...waited, ...next, ...(await reader.read(reading()))]).sort()).toEqual(hex([...high, ...low]).sort());
    });
  });

  describe('the window', () => {
    const fill = async (queue: string, tenant: string, tasks: number): Promise<void> => {
      for (let sent = 0; sent < tasks; sent += 1) {
        expect(doorbell.admits(tenant, queue, 'normal', 1)).toBe(true);
        await doorbell.ring([ringOf(queue, newIds(1), 'normal', tenant)]);
      }
    };

    it('refuses what is beyond it, for that tenant, queue and lane alone', async () => {
      const [queue, other] = [newQueue(), newQueue()];
      await fill(queue, 'loud', WINDOW);
      expect(doorbell.admits('loud', queue, 'normal', 1)).toBe(false);
      expect(doorbell.admits('quiet', queue, 'normal', 1)).toBe(true);
      expect(doorbell.admits('loud', other, 'normal', 1)).toBe(true);
      expect(doorbell.admits('loud', queue, 'high', 1)).toBe(true);
    });

    it('counts tasks, not messages', async () => {
      const queue = newQueue();
      await doorbell.ring([ringOf(queue, newIds(WINDOW - 2))]);
      expect(doorbell.admits('acme', queue, 'normal', 3)).toBe(false);
      expect(doorbell.admits('acme', queue, 'normal', 2)).toBe(true);
    });

    it('opens again when the messages are finished', async () => {
      const queue = newQueue();
      await fill(queue, 'acme', WINDOW);
      const reader = doorbells.reader(doorbell, queue);
      const deliveries = await reader.read(reading());
      expect(doorbell.admits('acme', queue, 'normal', 1)).toBe(false);
      await reader.finish(deliveries);
      doorbells.clock.pass(BELIEF_MS);
      await fill(queue, 'acme', WINDOW);
      expect(doorbell.admits('acme', queue, 'normal', 1)).toBe(false);
    });
  });

  describe('reading', () => {
    /** A message may go to a reader that is gone until the other side has seen its end; what it answers after that, it has. */
    const hasSeenTheEnd = (): Promise<boolean> => doorbell.answers();

    it('takes about as many tasks as there is room for, and leaves the rest to others', async () => {
      const queue = newQueue();
      for (let index = 0; index < 30; index += 1) await doorbell.ring([ringOf(queue, newIds(1))]);
      const reader = doorbells.reader(doorbell, queue);
      expect(idsOf(await reader.read(reading({ tasks: 7 })))).toHaveLength(7);
      expect(idsOf(await doorbells.reader(doorbell, queue, 'worker-2').read(reading({ tasks: 100 })))).toHaveLength(23);
    });

    it('learns how many tasks a message carries', async () => {
      const queue = newQueue();
      for (let index = 0; index < 40; index += 1) await doorbell.ring([ringOf(queue, newIds(10))]);
      const reader = doorbells.reader(doorbell, queue);
      await reader.read(reading({ tasks: 1 }));
      const taken = idsOf(await reader.read(reading({ tasks: 50 }))).length;
      expect(taken).toBeGreaterThanOrEqual(50);
      expect(taken).toBeLessThan(70);
    });

    it('learns it from what it has waited for as well', async () => {
      const queue = newQueue();
      const reader = doorbells.reader(doorbell, queue);
      await doorbell.ring([ringOf(queue, newIds(10))]);
      await reader.read(reading({ tasks: 1_000, blockMs: 1_000 }));
      for (let index = 0; index < 40; index += 1) await doorbell.ring([ringOf(queue, newIds(10))]);
      expect(idsOf(await reader.read(reading({ tasks: 50 }))).length).toBeLessThan(70);
    });

    it('waits for a message and wakes when one is rung', async () => {
      const queue = newQueue();
      const reader = doorbells.reader(doorbell, queue);
      await reader.read(reading());
      for (const lane of LANES) {
        const id = newId();
        const waiting = reader.read(reading({ blockMs: 30_000 }));
        await doorbell.ring([ringOf(queue, [id], lane)]);
        expect(idsOf(await within(waiting, 5_000, 'the read to wake'))).toEqual(hex([id]));
      }
    });

    it('gives up empty-handed when nothing comes', async () => {
      const reader = doorbells.reader(doorbell, newQueue());
      expect(await within(reader.read(reading({ blockMs: 20 })), 5_000, 'the read to end')).toEqual([]);
    });

    it('ends at once when it is told to, before or while it waits', async () => {
      const queue = newQueue();
      const reader = doorbells.reader(doorbell, queue);
      await reader.read(reading());
      const abort = new AbortController();
      const waiting = reader.read(reading({ blockMs: 30_000, signal: abort.signal }));
      await new Promise((resolve) => setImmediate(resolve));
      abort.abort();
      expect(await within(waiting, 1_000, 'the read to end')).toEqual([]);
      expect(await within(reader.read(reading({ blockMs: 30_000, signal: abort.signal })), 1_000, 'the read to end')).toEqual([]);
      await hasSeenTheEnd();
      await doorbell.ring([ringOf(queue, newIds(1))]);
      expect(await reader.read(reading({ signal: abort.signal }))).toEqual([]);
      expect(idsOf(await reader.read(reading()))).toHaveLength(1);
    });

    it('works on after an end that was called for', async () => {
      const queue = newQueue();
      const reader = doorbells.reader(doorbell, queue);
      for (let round = 0; round < 5; round += 1) {
        const abort = new AbortController();
        const waiting = reader.read(reading({ blockMs: 30_000, signal: abort.signal }));
        abort.abort();
        expect(await within(waiting, 1_000, 'the read to end')).toEqual([]);
      }
      await hasSeenTheEnd();
      const id = newId();
      await doorbell.ring([ringOf(queue, [id])]);
      expect(idsOf(await reader.read(reading({ blockMs: 1_000 })))).toEqual(hex([id]));
    });

    it('is shared: no message goes to two readers, and none to nobody', async () => {
      const queue = newQueue();
      const ids = newIds(300);
      const readers = [1, 2, 3].map((number) => doorbells.reader(doorbell, queue, `worker-${number}`));
      const seen: string[] = [];
      let isOver = false;
      const reads = readers.map(async (reader) => {
        while (!isOver && seen.length < ids.length) {
          const deliveries = await reader.read(reading({ tasks: 5, blockMs: 50 }));
          seen.push(...idsOf(deliveries));
          await reader.finish(deliveries);
        }
      });
      for (const id of ids) await doorbell.ring([ringOf(queue, [id])]);
      await within(Promise.all(reads), 4_000, 'every message to arrive').finally(() => (isOver = true));
      expect(seen.sort()).toEqual(hex(ids).sort());
    });

    it('after its reader was closed brings nothing and opens nothing', async () => {
      const queue = newQueue();
      const reader = doorbells.reader(doorbell, queue);
      const waiting = reader.read(reading({ blockMs: 30_000 }));
      await reader.close();
      expect(await within(waiting, 1_000, 'the read to end')).toEqual([]);
      await hasSeenTheEnd();
      await doorbell.ring([ringOf(queue, newIds(1))]);
      expect(await reader.read(reading())).toEqual([]);
      expect((await doorbell.position(queue, 'normal'))?.length).toBe(1);
    });
  });

  describe('the position', () => {
    it('tells a message on its way from one that was delivered', async () => {
      const queue = newQueue();
      expect(await doorbell.position(queue, 'low')).toMatchObject({ length: 0, lastDeliveredAt: null });
      const reader = doorbells.reader(doorbell, queue);
      await reader.read(reading());
      const before = await doorbell.position(queue, 'low');
      doorbells.clock.pass(5);
      await doorbell.ring([ringOf(queue, newIds(1), 'low')]);
      expect(await doorbell.position(queue, 'low')).toMatchObject({ length: 1, lastDeliveredAt: null });
      const deliveries = await reader.read(reading());
      doorbells.clock.pass(5);
      const after = await doorbell.position(queue, 'low');
      expect(after!.length).toBe(1);
      expect(after!.lastDeliveredAt).toBeGreaterThanOrEqual(before!.now);
      expect(after!.lastDeliveredAt).toBeLessThanOrEqual(after!.now);
      await reader.finish(deliveries);
      expect(await doorbell.position(queue, 'low')).toMatchObject({ length: 0, lastDeliveredAt: after!.lastDeliveredAt });
    });
  });

  it('tidies an unknown queue without a word', async () => {
    await doorbell.tidy(newQueue(), 1_000);
  });
});

describe('the order of the lanes', () => {
  it('over 800 turns asks high first five times as often as low, and every lane in every turn', () => {
    const firsts = new Map<Lane, number>(LANES.map((lane) => [lane, 0]));
    let sinceLow = 0;
    for (let turn = 0; turn < 800; turn += 1) {
      const order = laneOrder(turn);
      expect([...order].sort()).toEqual([...LANES].sort());
      const first = order[0]!;
      firsts.set(first, firsts.get(first)! + 1);
      sinceLow = first === 'low' ? 0 : sinceLow + 1;
      expect(sinceLow).toBeLessThan(8);
      expect(order.slice(1)).toEqual(LANES.filter((lane) => lane !== first));
    }
    expect(Object.fromEntries(firsts)).toEqual({ high: 500, normal: 200, low: 100 });
  });

  it('follows from the priority, and a number stands for each lane', () => {
    expect([100, 1, 0, -1, -100].map(laneOf)).toEqual(['high', 'high', 'normal', 'low', 'low']);
    for (const lane of LANES) expect(laneAt(laneNumber(lane))).toBe(lane);
    expect(() => laneAt(3)).toThrow(RangeError);
  });
});

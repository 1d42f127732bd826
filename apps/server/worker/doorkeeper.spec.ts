/** What becomes of tasks that were found at the door, without a door: who is taken, rung again or set aside, and what is read on for. */
import { beforeEach, describe, expect, it } from '@jest/globals';
import { laneOrder, type Delivery, type Lane, type Ring } from '@app/queue';
import { createLogger } from '@app/telemetry';
import { FixedLimits } from '../../../test/support/fixed-limits.js';
import { Doorkeeper } from './doorkeeper.js';
import { Sharing, type Flow } from './sharing.js';

const PATIENCE_MS = 100;
const LANES = laneOrder(0);
const logger = createLogger({ level: 'silent', format: 'json', role: 'test' });

let next = 0;
function delivery(tenant: string, tasks: number, waitedMs = 0, lane: Lane = 'normal'): Delivery {
  const ids = Array.from({ length: tasks }, () => {
    const id = Buffer.alloc(16);
    id.write(tenant.slice(0, 8));
    id.writeUInt32BE((next += 1), 12);
    return id;
  });
  return { tenant, queue: 'q', lane, ids, waitedMs, receipt: null };
}

/** Tenant → tasks. */
function byTenant(ids: readonly Buffer[]): Record<string, number> {
  const counts: Record<string, number> = {};
  for (const id of ids) {
    const tenant = id.toString('latin1', 0, 8).replaceAll('\0', '');
    counts[tenant] = (counts[tenant] ?? 0) + 1;
  }
  return counts;
}

describe('the doorkeeper', () => {
  let free: number;
  let closed: string[];
  let limited: string[];
  let taken: Buffer[];
  let within: Buffer[];
  let aside: Buffer[];
  let rung: Ring[];
  let asides: number;
  let onAside: () => void;
  let reads: Lane[][];
  let sharing: Sharing;
  let keeper: Doorkeeper;

  beforeEach(() => {
    [free, closed, limited, taken, within, aside, rung, asides, reads] = [4, [], [], [], [], [], [], 0, []];
    onAside = () => undefined;
    sharing = new Sharing(new FixedLimits());
    const slots = {
      get free() {
        return free;
      },
      reserve(wanted: number) {
        const got = Math.min(wanted, free);
        free -= got;
        return got;
      },
    };
    const intake = {
      slots,
      isClosed: ({ tenant }: Flow) => closed.includes(tenant),
      isLimited: (tenant: string) => limited.includes(tenant),
      takeIds: (ids: readonly Buffer[]) => Promise.resolve(void taken.push(...ids)),
      takeWithin: (_tenant: string, ids: readonly Buffer[]) => Promise.resolve(void within.push(...ids)),
      setAside: (ids: readonly Buffer[]) => {
        aside.push(...ids);
        onAside();
        return Promise.resolve();
      },
    };
    const doorbell = { ring: (rings: readonly Ring[]) => Promise.resolve(void rung.push(...rings)) };
    keeper = new Doorkeeper({ doorbellPatienceMs: PATIENCE_MS }, doorbell, intake, sharing, logger);
    keeper.onAside = () => {
      asides += 1;
    };
  });

  const take = (deliveries: readonly Delivery[], more: readonly (readonly Delivery[] | Error)[] = []): Promise<readonly Delivery[]> =>
    keeper.take(deliveries, LANES, (lanes) => {
      reads.push([...lanes]);
      const answer = more[reads.length - 1] ?? [];
      return answer instanceof Error ? Promise.reject(answer) : Promise.resolve(answer);
    });

  it('takes what came first where nobody waits, and rings again for what has no room', async () => {
    const given = [delivery('heavy', 3), delivery('light', 3)];
    expect(await take(given)).toEqual(given);
    expect(byTenant(taken)).toEqual({ heavy: 3, light: 1 });
    expect(byTenant(rung.flatMap(({ ids }) => ids))).toEqual({ light: 2 });
    expect([aside, reads, asides]).toEqual([[], [], 0]);
  });

  it('clears a door where somebody waits, and deals the slots out between all that it finds', async () => {
    const late = delivery('heavy', 4, PATIENCE_MS + 1);
    const behind = [delivery('heavy', 50, PATIENCE_MS + 1), delivery('light', 1, PATIENCE_MS + 1)];
    const young = [delivery('other', 1, 1)];
    expect(await take([late], [behind, young, [delivery('never', 1)]])).toEqual([late, ...behind, ...young]);
    expect(byTenant(taken)).toEqual({ heavy: 2, light: 1, other: 1 });
    expect(byTenant(aside)).toEqual({ heavy: 52 });
    expect([rung, asides]).toEqual([[], 1]);
    expect(reads).toEqual([['normal'], ['normal']]);
  });

  it('says that something may be looked for where what was closed opens while it is set aside', async () => {
    closed = ['full'];
    await take([delivery('full', 1)]);
    expect([byTenant(aside), asides]).toEqual([{ full: 1 }, 0]);
    onAside = () => {
      closed = [];
    };
    await take([delivery('full', 1)]);
    expect([byTenant(aside), asides]).toEqual([{ full: 2 }, 1]);
  });

  it('clears only the lanes where somebody waits', async () => {
    await take([delivery('heavy', 1, PATIENCE_MS + 1, 'low'), delivery('heavy', 1, 0, 'high')]);
    expect(reads).toEqual([['low']]);
  });

  it('stops reading on at a bound, however long the door is', async () => {
    await take(
      [delivery('heavy', 1, PATIENCE_MS + 1)],
      Array.from({ length: 100 }, () => [delivery('heavy', 1, PATIENCE_MS + 1)]),
    );
    expect(reads).toHaveLength(16);
  });

  it('loses nothing of what it has read where reading on fails', async () => {
    const more = [delivery('light', 1, PATIENCE_MS + 1)];
    const all = await take([delivery('heavy', 4, PATIENCE_MS + 1)], [more, new Error('the connection is gone')]);
    expect(all).toHaveLength(2);
    expect(byTenant([...taken, ...aside])).toEqual({ heavy: 4, light: 1 });
  });

  it('leaves slots to tenants that wait in the database for the same lane', async () => {
    sharing.seen([
      { tenant: 'waiting', queue: 'q', lane: 'normal' },
      { tenant: 'paused', queue: 'q', lane: 'normal' },
      { tenant: 'elsewhere', queue: 'q', lane: 'low' },
    ]);
    closed = ['paused'];
    await take([delivery('heavy', 4)]);
    expect(byTenant(taken)).toEqual({ heavy: 2 });
    expect(free).toBe(2);
    expect(byTenant(aside)).toEqual({ heavy: 2 });
    expect(asides).toBe(1);
  });

  it('does not mind a backlog of the tenant that is at the door', async () => {
    sharing.seen([{ tenant: 'heavy', queue: 'q', lane: 'normal' }]);
    await take([delivery('heavy', 4)]);
    expect(byTenant(taken)).toEqual({ heavy: 4 });
  });

  it('sets aside what may not be started, without a look at the backlog for it', async () => {
    closed = ['full'];
    await take([delivery('full', 3), delivery('light', 1)]);
    expect(byTenant(aside)).toEqual({ full: 3 });
    expect(byTenant(taken)).toEqual({ light: 1 });
    expect([free, asides]).toEqual([3, 0]);
  });

  it('claims for a tenant with a limit by itself, and for all others together', async () => {
    limited = ['bounded'];
    await take([delivery('light', 1), delivery('bounded', 2), delivery('heavy', 1)]);
    expect(byTenant(taken)).toEqual({ light: 1, heavy: 1 });
    expect(byTenant(within)).toEqual({ bounded: 2 });
  });
});

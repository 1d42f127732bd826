import { beforeEach, describe, expect, it } from '@jest/globals';
import { Unavailable } from '@app/errors';
import { Clock } from '@app/lifecycle';
import type { ListedRevocation } from './revocation-list.js';
import { Revocations } from './revocations.js';

class HandClock extends Clock {
  at = 0;

  now(): number {
    return this.at;
  }

  monotonic(): number {
    return this.at;
  }
}

const STALE_MS = 30_000;
let clock: HandClock;
/** What a database would hold: rows with the time of their last change. */
let rows: (ListedRevocation & { changedAt: number })[];
let databaseNow: number;
let asked: number[];
let failure: Error | null;
let revocations: Revocations;
beforeEach(() => {
  clock = new HandClock();
  rows = [];
  databaseNow = 1_000_000;
  asked = [];
  failure = null;
  const store = {
    now: async () => {
      if (failure !== null) throw failure;
      return databaseNow;
    },
    async *changesSince(moment: number) {
      asked.push(moment);
      yield rows.filter(({ changedAt }) => changedAt >= moment);
    },
  };
  revocations = new Revocations(store, clock, STALE_MS);
});

function revoke(row: Partial<ListedRevocation & { changedAt: number }>): void {
  rows = rows.filter(({ id }) => id !== (row.id ?? 'r'));
  rows.push({
    ...{ id: 'r', tenant: 't', kind: 'tenant', value: '', notBefore: 500, expiresAt: 9_000_000, lifted: false, changedAt: databaseNow },
    ...row,
  });
}

async function standing(token: { tenant?: string; subject?: string; tokenId?: string | null; issuedAt?: number } = {}): Promise<string> {
  const { tenant = 't', subject = 's', tokenId = null, issuedAt = 499 } = token;
  const principal = { tenant, subject, tokenId, scopes: new Set<never>(), credential: `sub:${subject}` };
  try {
    await revocations.assertStanding({ principal, issuedAt });
    return 'ok';
  } catch (error) {
    return (error as { code: string }).code;
  }
}

describe('revocations', () => {
  it.each<[string, Partial<ListedRevocation>, Parameters<typeof standing>[0], string]>([
    ['everything before a moment', {}, {}, 'invalid-token'],
    ['nothing that was issued at that moment', {}, { issuedAt: 500 }, 'ok'],
    ['nothing of another tenant', {}, { tenant: 'u' }, 'ok'],
    ['what a subject had before', { kind: 'subject', value: 's' }, {}, 'invalid-token'],
    ['not what it got later', { kind: 'subject', value: 's' }, { issuedAt: 501 }, 'ok'],
    ['not what another subject has', { kind: 'subject', value: 's' }, { subject: 'S' }, 'ok'],
    ['not the same subject of another tenant', { kind: 'subject', value: 's' }, { tenant: 'u' }, 'ok'],
    ['one token, whenever it was issued', { kind: 'id', value: 'j', notBefore: 0 }, { tokenId: 'j', issuedAt: 9_000 }, 'invalid-token'],
    ['not another token', { kind: 'id', value: 'j', notBefore: 0 }, { tokenId: 'k' }, 'ok'],
    ['not a token without an id', { kind: 'id', value: 'j', notBefore: 0 }, {}, 'ok'],
    ['nothing that was taken back', { lifted: true }, {}, 'ok'],
    ['nothing that has expired', { expiresAt: 1_000_000 }, {}, 'ok'],
  ])('concern %s', async (_, row, token, expected) => {
    revoke(row);
    expect(await standing(token)).toBe(expected);
  });

  it('of one subject add up: the latest moment counts, and taking one back leaves the others', async () => {
    revoke({ id: 'early', kind: 'subject', value: 's', notBefore: 100 });
    revoke({ id: 'late', kind: 'subject', value: 's', notBefore: 400 });
    expect([await standing({ issuedAt: 399 }), await standing({ issuedAt: 400 })]).toEqual(['invalid-token', 'ok']);
    revoke({ id: 'late', kind: 'subject', value: 's', notBefore: 400, lifted: true });
    await revocations.refresh();
    expect([await standing({ issuedAt: 399 }), await standing({ issuedAt: 99 })]).toEqual(['ok', 'invalid-token']);
  });

  it('are read again from a little before the last reading, and all of them where the database has gone back in time', async () => {
    await revocations.refresh();
    databaseNow += 5_000;
    // Written with a time before the last reading, and visible only now.
    revoke({ changedAt: databaseNow - 30_000 });
    await revocations.refresh();
    expect(await standing()).toBe('invalid-token');
    databaseNow -= 600_000;
    revoke({ id: 'other', tenant: 'u', changedAt: databaseNow });
    await revocations.refresh();
    expect(await standing({ tenant: 'u' })).toBe('invalid-token');
    expect(asked).toEqual([0, 940_000, 0]);
  });

  it('are read by the first call, and by a call that comes when they were not read for too long', async () => {
    expect(await standing()).toBe('ok');
    revoke({});
    clock.at = STALE_MS;
    expect([await standing(), asked.length]).toEqual(['ok', 1]);
    clock.at = STALE_MS + 1;
    expect(await standing()).toBe('invalid-token');
  });

  it('that cannot be read for too long stop every call with a token', async () => {
    expect(await standing()).toBe('ok');
    failure = new Unavailable('away');
    clock.at = STALE_MS;
    expect(await standing()).toBe('ok');
    clock.at = STALE_MS + 1;
    expect(await standing()).toBe('dependency-unavailable');
    failure = null;
    expect(await standing()).toBe('ok');
  });

  it('share one reading among the calls that wait for it', async () => {
    await Promise.all(Array.from({ length: 50 }, () => standing()));
    expect(asked).toHaveLength(1);
  });

  it('that were committed before are seen, though a reading was under way', async () => {
    const reading = revocations.refresh();
    revoke({});
    await revocations.readAgain();
    await reading;
    expect([await standing(), asked.length]).toEqual(['invalid-token', 2]);
  });
});

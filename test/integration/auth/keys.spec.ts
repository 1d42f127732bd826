/** API keys on a real database: made once, accepted while they live, and never more than their maker. */
import { describe, expect, it } from '@jest/globals';
import { InvalidKey, KeysSwitchedOff, ScopeEscalation, TokenExpired, TooManyKeys, writeKey, type Principal } from '@app/auth';
import { idBytes, sql } from '@app/database';
import { InvalidRequest, InvalidState, NotFound, Unavailable } from '@app/errors';
import { actorOf, CACHE_MS, DAY_MS, keyHouse, LIMITS, newKey, OVERLAP_MAX_MS, pepperOf, tokenOf } from '../../support/key-house.js';
import type { Store } from '../../support/store.js';
import { onEveryStore } from '../../support/store-suite.js';

const entries = async (store: Store, tenant = 'acme') => (await store.audit.list(tenant, {}, { limit: 200, cursor: null })).items;
const reasonOf = (check: Promise<Principal>): Promise<string> =>
  check.then(
    () => 'accepted',
    (error: unknown) => (error instanceof InvalidKey ? error.reason : String(error)),
  );

/** Moves the life of a key into the past, as time would. */
async function age(store: Store, id: string, ms: number): Promise<void> {
  await store.raw.execute(
    sql`UPDATE api_keys SET created_at = created_at - ${ms}, previous_until = previous_until - ${ms}, expires_at = expires_at - ${ms} WHERE id = ${idBytes(id)}`,
  );
}

onEveryStore('API keys', (current) => {
  describe('that are made', () => {
    it('speak for the tenant of their maker with the scopes they were given', async () => {
      const house = keyHouse(current());
      const { key, text } = await house.make({ scopes: ['tasks:read', 'tasks:write'], ttlMs: DAY_MS });
      expect(key).toMatchObject({ name: 'import', scopes: ['tasks:read', 'tasks:write'], state: 'active', createdBy: 'ann', madeBy: null });
      expect(key.expiresAt - key.createdAt).toBe(DAY_MS);
      expect(text.startsWith(`${key.prefix}_`)).toBe(true);
      expect(await house.verify(text)).toEqual({
        ...{ subject: `key:${key.id}`, credential: `key:${key.id}`, tenant: 'acme', tokenId: null },
        scopes: new Set(['tasks:read', 'tasks:write']),
      });
      expect(await house.keys.get('acme', key.id)).toEqual(key);
    });

    it('leave no secret in the database, only a hash that takes the pepper', async () => {
      const store = current();
      const { text } = await keyHouse(store).make();
      const secret = text.split('_')[2] ?? '';
      for (const table of ['api_keys', 'audit_entries', 'api_key_turns']) {
        const rows = await store.raw.query({ text: `SELECT * FROM ${table}`, values: [] });
        const dump = JSON.stringify(
          rows.map((row) => Object.values(row).map((value) => (Buffer.isBuffer(value) ? value.toString('latin1') : value))),
        );
        expect(rows.length).toBe(1);
        expect(dump).not.toContain(secret);
        expect(dump).not.toContain(text);
      }
      const other = keyHouse(store, { pepper: pepperOf('another-pepper-0123456789abcdef-0123456') });
      expect(await reasonOf(other.verify(text))).toBe('API key: the secret is wrong');
    });

    it('live 90 days unless told, and never too long', async () => {
      const house = keyHouse(current());
      const { key } = await house.make();
      expect(key.expiresAt - key.createdAt).toBe(90 * DAY_MS);
      const now = await current().now();
      const bad = [
        { ttlMs: LIMITS.lifetimeMaxMs + 1 },
        { expiresAt: now + LIMITS.lifetimeMaxMs + DAY_MS },
        { expiresAt: now - 1 },
        { expiresAt: now },
      ];
      for (const change of bad) await expect(house.make(change)).rejects.toBeInstanceOf(InvalidRequest);
      expect(await current().count(sql`api_keys`)).toBe(1);
    });

    it.each([
      [['tasks:read'], ['tasks:write']],
      [
        ['tasks:read', 'keys:manage'],
        ['tasks:read', 'admin'],
      ],
      [['admin', 'keys:manage'], ['tasks:read']],
    ] as const)('by somebody with %j cannot have %j', async (own, wanted) => {
      const house = keyHouse(current());
      await expect(house.make({ scopes: wanted }, tokenOf({ scopes: own }))).rejects.toBeInstanceOf(ScopeEscalation);
      expect(await current().count(sql`api_keys`)).toBe(0);
      expect(await entries(current())).toEqual([]);
    });

    it('are told in the audit log, with credential and address, in the transaction of the change', async () => {
      const store = current();
      const house = keyHouse(store);
      const { key } = await house.maker.make(actorOf(tokenOf(), 'for the import'), newKey({ ttlMs: DAY_MS }));
      const detail = { name: 'import', credential: 'sub:ann', address: '192.0.2.1' };
      await house.rotator.rotate(actorOf(tokenOf(), 'monthly'), key.id, 1_000);
      await house.revoker.revoke(actorOf(tokenOf(), 'leaked'), key.id);
      await house.revoker.revoke(actorOf(tokenOf(), 'again'), key.id);
      expect((await entries(store)).map(({ id: _id, at: _at, ...rest }) => rest)).toEqual([
        { actor: 'ann', action: 'key.revoke', target: key.id, reason: 'leaked', detail: { ...detail, with: key.id } },
        { actor: 'ann', action: 'key.rotate', target: key.id, reason: 'monthly', detail: { ...detail, previousUntil: expect.any(Number) } },
        {
          ...{ actor: 'ann', action: 'key.make', target: key.id, reason: 'for the import' },
          detail: { ...detail, scopes: 'tasks:read', expiresAt: key.expiresAt },
        },
      ]);
    });

    it('are bounded in number however many ask at once, and ended ones are forgotten in time', async () => {
      const store = current();
      const houses = [keyHouse(store), keyHouse(store)];
      const asked = await Promise.allSettled(Array.from({ length: 12 }, (_, index) => houses[index % 2]!.make()));
      const refused = asked.flatMap((end) => (end.status === 'rejected' ? [end.reason as unknown] : []));
      expect(refused).toHaveLength(12 - LIMITS.activeMax);
      for (const error of refused) expect(error).toBeInstanceOf(TooManyKeys);
      await houses[0]!.make({}, tokenOf({ tenant: 'other' }));
      for (let round = 0; round < LIMITS.activeMax + 3; round += 1) {
        const { items } = await houses[0]!.keys.list('acme', { limit: 200, cursor: null });
        const active = items.filter(({ state }) => state === 'active').at(-1)!;
        await houses[0]!.revoker.revoke(actorOf(tokenOf()), active.id);
        await houses[1]!.make();
      }
      expect(await store.count(sql`api_keys WHERE tenant = 'acme'`)).toBeLessThanOrEqual(2 * LIMITS.activeMax);
      expect(await store.count(sql`api_keys WHERE tenant = 'acme' AND revoked_at = 0`)).toBe(LIMITS.activeMax);
      expect(await store.count(sql`api_keys WHERE tenant = 'other'`)).toBe(1);
    });

    it('are refused, and cannot be made, where there is no pepper', async () => {
      const store = current();
      const { text } = await keyHouse(store).make();
      const off = keyHouse(store, { pepper: pepperOf(null) });
      await expect(off.make()).rejects.toBeInstanceOf(KeysSwitchedOff);
      expect(await reasonOf(off.verify(text))).toContain('AUTH_KEY_PEPPER is not set');
      const embedded = keyHouse(store, { pepper: pepperOf(null, true) });
      await embedded.verify((await embedded.make()).text);
    });
  });

  describe('that make keys', () => {
    const powers = ['keys:manage', 'tasks:read'] as const;

    it('cannot give more than they have, nor live on in what they made', async () => {
      const house = keyHouse(current());
      const head = await house.make({ scopes: powers, ttlMs: 10 * DAY_MS });
      const holder = await house.verify(head.text);
      await expect(house.make({ scopes: ['tasks:write'] }, holder)).rejects.toBeInstanceOf(ScopeEscalation);
      await expect(house.make({ ttlMs: 11 * DAY_MS }, holder)).rejects.toBeInstanceOf(InvalidRequest);
      const child = await house.make({ scopes: powers }, holder);
      expect(child.key).toMatchObject({ madeBy: head.key.id, createdBy: `key:${head.key.id}`, expiresAt: head.key.expiresAt });
    });

    it('take what they made, and that made, with them when they are revoked', async () => {
      const store = current();
      const house = keyHouse(store);
      const head = await house.make({ scopes: powers });
      const child = await house.make({ scopes: powers }, await house.verify(head.text));
      const grandchild = await house.make({ scopes: powers }, await house.verify(child.text));
      const bystander = await house.make({ scopes: powers });
      await house.revoker.revoke(actorOf(tokenOf(), 'stolen'), head.key.id);
      for (const { text } of [head, child, grandchild]) expect(await reasonOf(house.verify(text))).toBe('API key: it is revoked');
      expect(await reasonOf(house.verify(bystander.text))).toBe('accepted');
      const told = (await entries(store)).filter(({ action }) => action === 'key.revoke');
      expect(told.map(({ target }) => target).sort()).toEqual([head, child, grandchild].map(({ key }) => key.id).sort());
      for (const { detail } of told) expect(detail).toMatchObject({ with: head.key.id });
    });

    it('make and rotate nothing once they are revoked, whatever this process remembers', async () => {
      const store = current();
      const house = keyHouse(store);
      const head = await house.make({ scopes: powers });
      const holder = await house.verify(head.text);
      await keyHouse(store).revoker.revoke(actorOf(tokenOf()), head.key.id);
      expect(await reasonOf(house.verify(head.text))).toBe('accepted');
      await expect(house.make({}, holder)).rejects.toBeInstanceOf(InvalidKey);
      await expect(house.rotator.rotate(actorOf(holder), head.key.id, 0)).rejects.toBeInstanceOf(InvalidKey);
      await expect(house.revoker.revoke(actorOf(holder), head.key.id)).rejects.toBeInstanceOf(InvalidKey);
    });
  });

  describe('that end', () => {
    it('are refused everywhere within the time that is remembered, and at once where they were revoked', async () => {
      const store = current();
      const [here, there] = [keyHouse(store), keyHouse(store)];
      const { key, text } = await here.make();
      for (const house of [here, there]) expect(await reasonOf(house.verify(text))).toBe('accepted');
      await here.revoker.revoke(actorOf(tokenOf()), key.id);
      expect(await reasonOf(here.verify(text))).toBe('API key: it is revoked');
      store.clock.advance(CACHE_MS - 1);
      expect(await reasonOf(there.verify(text))).toBe('accepted');
      store.clock.advance(1);
      expect(await reasonOf(there.verify(text))).toBe('API key: it is revoked');
      expect(await here.keys.get('acme', key.id)).toMatchObject({ state: 'revoked', revokedAt: expect.any(Number) });
    });

    it('by their time are over by the clock of the database, also where they are remembered', async () => {
      const store = current();
      const house = keyHouse(store);
      const { key, text } = await house.make({ ttlMs: DAY_MS });
      await age(store, key.id, DAY_MS - 60_000);
      expect(await reasonOf(house.verify(text))).toBe('accepted');
      await age(store, key.id, 60_000);
      store.clock.advance(CACHE_MS);
      await expect(house.verify(text)).rejects.toBeInstanceOf(TokenExpired);
      expect(await house.keys.get('acme', key.id)).toMatchObject({ state: 'expired' });
      const { key: short, text: brief } = await house.make({ ttlMs: 60_000 });
      await age(store, short.id, 59_000);
      expect(await reasonOf(house.verify(brief))).toBe('accepted');
      store.clock.advance(1_500);
      await expect(house.verify(brief)).rejects.toBeInstanceOf(TokenExpired);
    });

    it('are not accepted while the database is away and nothing fresh is remembered', async () => {
      const store = current();
      const house = keyHouse(store);
      const { text } = await house.make();
      await house.verify(text);
      store.database.beAway(1, ['query']);
      expect(await reasonOf(house.verify(text))).toBe('accepted');
      store.clock.advance(CACHE_MS);
      await expect(house.verify(text)).rejects.toBeInstanceOf(Unavailable);
    });
  });

  describe('that are rotated', () => {
    it('are good with both secrets until the deadline, then with the new one alone', async () => {
      const store = current();
      const house = keyHouse(store);
      const first = await house.make({ ttlMs: 30 * DAY_MS });
      const second = await house.rotator.rotate(actorOf(tokenOf()), first.key.id, DAY_MS);
      expect(second.key).toMatchObject({ id: first.key.id, expiresAt: first.key.expiresAt, rotatedAt: expect.any(Number) });
      expect(second.key.previousSecretUntil! - second.key.rotatedAt!).toBe(DAY_MS);
      for (const { text } of [first, second]) expect(await reasonOf(house.verify(text))).toBe('accepted');
      await age(store, first.key.id, DAY_MS);
      store.clock.advance(CACHE_MS);
      expect(await reasonOf(house.verify(first.text))).toContain('whose time is over');
      expect(await reasonOf(house.verify(second.text))).toBe('accepted');
      expect(await house.keys.get('acme', first.key.id)).toMatchObject({ previousSecretUntil: null });
    });

    it('are good with the new secret everywhere at once, and guessing costs few statements', async () => {
      const store = current();
      const [here, there] = [keyHouse(store), keyHouse(store)];
      const first = await here.make();
      await there.verify(first.text);
      store.clock.advance(CACHE_MS / 2);
      const second = await here.rotator.rotate(actorOf(tokenOf()), first.key.id, DAY_MS);
      for (const { text } of [second, first]) expect(await reasonOf(there.verify(text))).toBe('accepted');
      const { query } = store.database.counts;
      const wrong = writeKey(idBytes(first.key.id)!, Buffer.alloc(32)).text;
      for (let each = 0; each < 100; each += 1) expect(await reasonOf(there.verify(wrong))).toBe('API key: the secret is wrong');
      expect(store.database.counts.query).toBe(query);
    });

    it('without an overlap, or twice, end the secret before at once', async () => {
      const house = keyHouse(current());
      const first = await house.make();
      const second = await house.rotator.rotate(actorOf(tokenOf()), first.key.id, DAY_MS);
      const third = await house.rotator.rotate(actorOf(tokenOf()), first.key.id, DAY_MS);
      expect(await reasonOf(house.verify(first.text))).toBe('API key: the secret is wrong');
      expect(await reasonOf(house.verify(second.text))).toBe('accepted');
      const fourth = await house.rotator.rotate(actorOf(tokenOf()), first.key.id, 0);
      expect(await reasonOf(house.verify(third.text))).toContain('whose time is over');
      expect(await reasonOf(house.verify(fourth.text))).toBe('accepted');
    });

    it('live no longer for it', async () => {
      const store = current();
      const house = keyHouse(store);
      const { key } = await house.make({ ttlMs: DAY_MS });
      const { key: rotated } = await house.rotator.rotate(actorOf(tokenOf()), key.id, OVERLAP_MAX_MS);
      expect(rotated).toMatchObject({ expiresAt: key.expiresAt, previousSecretUntil: key.expiresAt });
      await expect(house.rotator.rotate(actorOf(tokenOf()), key.id, OVERLAP_MAX_MS + 1)).rejects.toBeInstanceOf(InvalidRequest);
      await age(store, key.id, DAY_MS);
      await expect(house.rotator.rotate(actorOf(tokenOf()), key.id, 0)).rejects.toBeInstanceOf(InvalidState);
    });

    it('give their new secret to nobody with less than they have, and to no key that did not make them', async () => {
      const house = keyHouse(current());
      const strong = await house.make({ scopes: ['tasks:read', 'tasks:write'] });
      const weak = tokenOf({ scopes: ['keys:manage', 'tasks:read'] });
      await expect(house.rotator.rotate(actorOf(weak), strong.key.id, 0)).rejects.toBeInstanceOf(ScopeEscalation);
      const thief = await house.make({ scopes: ['keys:manage', 'tasks:read', 'tasks:write'] });
      const stolen = await house.verify(thief.text);
      await expect(house.rotator.rotate(actorOf(stolen), strong.key.id, 0)).rejects.toBeInstanceOf(ScopeEscalation);
      const child = await house.make({}, stolen);
      await house.rotator.rotate(actorOf(stolen), child.key.id, 0);
      await house.rotator.rotate(actorOf(stolen), thief.key.id, 0);
      expect(await reasonOf(house.verify(strong.text))).toBe('accepted');
    });
  });

  describe('that are wrong', () => {
    it('are refused by their checksum without a statement, and by their secret or id with the same one', async () => {
      const store = current();
      const house = keyHouse(store);
      const { key, text } = await house.make();
      const id = idBytes(key.id)!;
      const wrong = writeKey(id, Buffer.alloc(32, 1)).text;
      const unknown = writeKey(Buffer.alloc(16, 1), Buffer.alloc(32, 1)).text;
      const { query } = store.database.counts;
      for (const bad of ['trx_', `${text}x`, text.slice(0, -1), text.toLowerCase()]) {
        expect(await reasonOf(house.verify(bad))).toBe('API key: the form or the checksum is wrong');
      }
      expect(store.database.counts.query).toBe(query);
      expect(await reasonOf(house.verify(wrong))).toBe('API key: the secret is wrong');
      expect(await reasonOf(house.verify(unknown))).toBe('API key: there is none of this id');
      expect(store.database.counts.query).toBe(query + 2);
      await expect(house.verify(unknown)).rejects.toMatchObject({
        code: 'invalid-token',
        keyId: expect.stringMatching(/^01010101-/),
      });
    });

    it('cannot be made right by putting the hash of one row into another', async () => {
      const store = current();
      const house = keyHouse(store, { random: () => Buffer.alloc(32, 5) });
      const [mine, theirs] = [await house.make(), await house.make({}, tokenOf({ tenant: 'other' }))];
      expect(mine.text.split('_')[2]).toBe(theirs.text.split('_')[2]);
      const [row] = await store.raw.query<{ secret_hash: Buffer }>(
        sql`SELECT secret_hash FROM api_keys WHERE id = ${idBytes(mine.key.id)}`,
      );
      await store.raw.execute(sql`UPDATE api_keys SET secret_hash = ${row!.secret_hash} WHERE id = ${idBytes(theirs.key.id)}`);
      expect(await reasonOf(house.verify(theirs.text))).toBe('API key: the secret is wrong');
      expect(await reasonOf(house.verify(mine.text))).toBe('accepted');
    });

    it('of a stranger are not there: not to read, list, rotate or revoke', async () => {
      const house = keyHouse(current());
      const { key, text } = await house.make();
      const stranger = actorOf(tokenOf({ tenant: 'other' }));
      await expect(house.keys.get('other', key.id)).rejects.toBeInstanceOf(NotFound);
      await expect(house.rotator.rotate(stranger, key.id, 0)).rejects.toBeInstanceOf(NotFound);
      await expect(house.revoker.revoke(stranger, key.id)).rejects.toBeInstanceOf(NotFound);
      expect(await house.keys.list('other', { limit: 10, cursor: null })).toEqual({ items: [], nextCursor: null });
      expect(await reasonOf(house.verify(text))).toBe('accepted');
    });
  });

  describe('that are used', () => {
    it('cost one statement for as long as they are remembered, however many calls there are', async () => {
      const store = current();
      const house = keyHouse(store);
      const { text } = await house.make();
      const before = store.database.counts.query;
      await Promise.all(Array.from({ length: 50 }, () => house.verify(text)));
      await house.verify(text);
      expect(store.database.counts.query - before).toBe(1);
      expect(house.uses.waiting).toBe(1);
    });

    it('are written down once a minute at most, and behind the calls', async () => {
      const store = current();
      const house = keyHouse(store);
      const { key, text } = await house.make();
      await house.verify(text);
      expect(await house.keys.get('acme', key.id)).toMatchObject({ lastUsedAt: null });
      await house.uses.write();
      const { lastUsedAt } = await house.keys.get('acme', key.id);
      expect(lastUsedAt! >= key.createdAt).toBe(true);
      await store.raw.execute(sql`UPDATE api_keys SET last_used_at = last_used_at - 59000`);
      await house.verify(text);
      await house.uses.write();
      expect((await house.keys.get('acme', key.id)).lastUsedAt).toBe(lastUsedAt! - 59_000);
      await store.raw.execute(sql`UPDATE api_keys SET last_used_at = last_used_at - 2000`);
      await house.verify(text);
      await house.uses.write();
      expect((await house.keys.get('acme', key.id)).lastUsedAt! >= lastUsedAt!).toBe(true);
      expect(house.uses.waiting).toBe(0);
      await house.uses.write();
    });

    it('are listed newest first, page by page', async () => {
      const house = keyHouse(current());
      const made = [await house.make(), await house.make(), await house.make()].map(({ key }) => key.id).reverse();
      const first = await house.keys.list('acme', { limit: 2, cursor: null });
      const rest = await house.keys.list('acme', { limit: 2, cursor: first.nextCursor });
      expect([...first.items, ...rest.items].map(({ id }) => id)).toEqual(made);
      expect(rest.nextCursor).toBeNull();
    });
  });

  it('crowd nothing out of the memory by guessed ids', async () => {
    const house = keyHouse(current());
    const { text } = await house.make();
    await house.verify(text);
    for (let each = 0; each < 1_100; each += 1) {
      const id = Buffer.alloc(16);
      id.writeUInt32BE(each + 1);
      await house.verify(writeKey(id, Buffer.alloc(32)).text).catch(() => undefined);
    }
    expect(house.rows.size).toBe(1_001);
  });
});

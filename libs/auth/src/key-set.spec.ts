import { generateKeyPairSync, type KeyObject } from 'node:crypto';
import { beforeEach, describe, expect, it } from '@jest/globals';
import { Clock } from '@app/lifecycle';
import { KeySet } from './key-set.js';
import { readKeySet } from './read-key-set.js';

class HandClock extends Clock {
  at = 0;

  now(): number {
    return this.at;
  }

  monotonic(): number {
    return this.at;
  }
}

const COOL_MS = 30_000;
const DAY_MS = 86_400_000;
const rsa = generateKeyPairSync('rsa', { modulusLength: 2_048 }).publicKey;
const ec = generateKeyPairSync('ec', { namedCurve: 'P-256' });
const ed = generateKeyPairSync('ed25519').publicKey;
const jwk = (key: KeyObject, more: object = {}): object => ({ ...key.export({ format: 'jwk' }), ...more });
const document = (...keys: unknown[]): string => JSON.stringify({ keys });

let clock: HandClock;
let answer: () => Promise<string>;
let fetches: number;
let lines: [string, object][];
let keys: KeySet;
beforeEach(() => {
  clock = new HandClock();
  fetches = 0;
  lines = [];
  answer = () => Promise.resolve(document(jwk(rsa, { kid: 'a' })));
  const log = (fields: object, text: string): void => void lines.push([text, fields]);
  const fetch = (): Promise<string> => {
    fetches += 1;
    return answer();
  };
  keys = new KeySet(fetch, clock, { info: log, warn: log }, { coolDownMs: COOL_MS, maxAgeMs: DAY_MS });
});

const away = (): Promise<string> => Promise.reject(new Error('away'));
/** `ok`, or the code of the refusal. */
const found = (keyId: string | null, algorithm = 'RS256'): Promise<string> =>
  keys.find(keyId, algorithm).then(
    () => 'ok',
    (error: unknown) => (error as { code: string }).code,
  );

describe('a key set', () => {
  it('finds a key by kid, and only for its own algorithm', async () => {
    answer = () =>
      Promise.resolve(document(jwk(rsa, { kid: 'a' }), jwk(ec.publicKey, { kid: 'b' }), jwk(ed, { kid: 'c', use: 'sig', alg: 'EdDSA' })));
    expect(await Promise.all([found('a'), found('b', 'ES256'), found('c', 'EdDSA')])).toEqual(['ok', 'ok', 'ok']);
    expect(await Promise.all([found('a', 'ES256'), found('b'), found(null), found('c', 'RS256')])).toEqual(Array(4).fill('invalid-token'));
    expect(fetches).toBe(1);
  });

  it('has one fetch for a thousand unknown keys, and the next when the cool-down is over', async () => {
    await keys.refresh();
    clock.at = COOL_MS;
    const refused = await Promise.all(Array.from({ length: 1_000 }, (_, index) => found(`x${index}`)));
    expect(new Set(refused)).toEqual(new Set(['invalid-token']));
    expect(fetches).toBe(2);
    for (let index = 0; index < 1_000; index += 1) await found(`y${index}`);
    clock.at = 2 * COOL_MS - 1;
    await found('z');
    expect(fetches).toBe(2);
    clock.at = 2 * COOL_MS;
    await found('z');
    expect(fetches).toBe(3);
  });

  it.each(['HS256', 'none', 'PS256', 'RS512', ''])('asks nobody about a token with alg "%s"', async (algorithm) => {
    expect(await found('x', algorithm)).toBe('invalid-token');
    expect(fetches).toBe(0);
  });

  it('takes a new key within the cool-down, and drops one that is gone at the next fetch', async () => {
    const old = await keys.find('a', 'RS256');
    expect(keys.holds(old)).toBe(true);
    answer = () => Promise.resolve(document(jwk(ec.publicKey, { kid: 'b' })));
    clock.at = COOL_MS;
    expect(await found('b', 'ES256')).toBe('ok');
    expect([keys.holds(old), await found('a')]).toEqual([false, 'invalid-token']);
  });

  it('keeps what was verified with a key that stays', async () => {
    const old = await keys.find('a', 'RS256');
    answer = () => Promise.resolve(document(jwk(rsa, { kid: 'a' }), jwk(ec.publicKey, { kid: 'b' })));
    await keys.refresh();
    expect(keys.holds(old)).toBe(true);
    expect(await keys.find('a', 'RS256')).toBe(old);
  });

  it('is used through an outage for a day, and then nobody is let in or refused', async () => {
    const key = await keys.find('a', 'RS256');
    answer = away;
    clock.at = DAY_MS;
    await expect(keys.refresh()).rejects.toThrow('away');
    expect([await found('a'), await found('x'), keys.holds(key)]).toEqual(['ok', 'invalid-token', true]);
    clock.at = DAY_MS + 1;
    expect([await found('a'), await found('x')]).toEqual(['dependency-unavailable', 'dependency-unavailable']);
    expect(() => keys.holds(key)).toThrow(/cannot be fetched/);
    answer = () => Promise.resolve(document(jwk(rsa, { kid: 'a' })));
    clock.at += COOL_MS;
    expect(await found('a')).toBe('ok');
  });

  it('answers "unavailable" while there never was one, and asks at most once per cool-down', async () => {
    answer = away;
    expect(await Promise.all([found('a'), found('a'), found(null)])).toEqual(Array(3).fill('dependency-unavailable'));
    expect(await found('a')).toBe('dependency-unavailable');
    expect([fetches, keys.wasFetched]).toEqual([1, false]);
  });

  it.each<[string, string]>([
    ['no JSON', '<html>'],
    ['no object', '[]'],
    ['no list of keys', '{"keys":{}}'],
    ['more than fifty keys', document(...Array.from({ length: 51 }, (_, index) => jwk(rsa, { kid: `k${index}` })))],
    ['a key that is written twice', '{"keys":[],"keys":[]}'],
  ])('is not replaced by a document with %s', async (_, text) => {
    await keys.refresh();
    answer = () => Promise.resolve(text);
    await expect(keys.refresh()).rejects.toThrow();
    expect(await found('a')).toBe('ok');
  });

  it('may have its only key without a kid, for tokens without one', async () => {
    answer = () => Promise.resolve(document(jwk(rsa)));
    expect([await found(null), await found('a')]).toEqual(['ok', 'invalid-token']);
  });

  it('warns once of the keys that it passes over', async () => {
    answer = () => Promise.resolve(document(jwk(rsa, { kid: 'a' }), jwk(rsa, { kid: 'e', use: 'enc' })));
    await keys.refresh();
    await keys.refresh();
    expect(lines.filter(([text]) => text === 'Keys of the issuer are not used.')).toHaveLength(1);
    expect(JSON.stringify(lines)).toContain('kid e: for another use than signatures');
  });
});

describe('a key of a set', () => {
  const weak = generateKeyPairSync('rsa', { modulusLength: 1_024 }).publicKey;
  const curve = generateKeyPairSync('ec', { namedCurve: 'P-384' }).publicKey;
  const x25519 = generateKeyPairSync('x25519').publicKey;

  it.each<[string, unknown, RegExp]>([
    ['for encryption', jwk(rsa, { use: 'enc' }), /another use/],
    ['for other operations', jwk(rsa, { key_ops: ['encrypt'] }), /another use/],
    ['for another algorithm', jwk(rsa, { alg: 'PS256' }), /another algorithm/],
    ['of 1,024 bits', jwk(weak), /weak/],
    ['on another curve', jwk(curve), /weak/],
    ['for key agreement', jwk(x25519), /weak/],
    ['with the wrong kty', jwk(rsa, { kty: 'EC' }), /weak/],
    ['of an unknown kty', { kty: 'XYZ' }, /weak/],
    ['that is a shared secret', { kty: 'oct', k: 'c2VjcmV0' }, /secret/],
    ['with its private part', jwk(ec.privateKey), /private/],
    ['off its curve', jwk(ec.publicKey, { x: 'AAAA' }), /weak/],
    ['with an endless kid', jwk(rsa, { kid: 'k'.repeat(129) }), /kid/],
    ['with a number as kid', jwk(rsa, { kid: 7 }), /kid/],
    ['that is null', null, /not an object/],
  ])('is passed over: %s', (_, key, reason) => {
    const { keys: read, ignored } = readKeySet(document(key, jwk(ed, { kid: 'fine' })));
    expect([...read.keys()]).toEqual(['fine']);
    expect(ignored).toEqual([expect.stringMatching(reason)]);
  });

  it('is passed over with its namesakes where several have one kid, unless they are the same', () => {
    const same = readKeySet(document(jwk(rsa, { kid: 'a' }), jwk(rsa, { kid: 'a' })));
    expect([same.keys.size, same.ignored]).toEqual([1, []]);
    const two = readKeySet(document(jwk(rsa, { kid: 'a' }), jwk(ec.publicKey, { kid: 'a' }), jwk(rsa, { kid: 'a' })));
    expect([two.keys.size, two.ignored]).toEqual([0, ['kid a: several keys have it']]);
  });
});

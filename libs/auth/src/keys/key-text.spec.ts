import { randomBytes } from 'node:crypto';
import { describe, expect, it } from '@jest/globals';
import fc from 'fast-check';
import { keyPrefix, looksLikeKey, readKey, writeKey } from './key-text.js';

const bytes = (length: number) => fc.uint8Array({ minLength: length, maxLength: length }).map((array) => Buffer.from(array));

describe('the text of an API key', () => {
  it('has one form, and tells its id', () => {
    fc.assert(
      fc.property(bytes(16), bytes(32), (id, secret) => {
        const { text, proof } = writeKey(id, secret);
        expect(text).toMatch(/^trx_[0-9A-Za-z]{22}_[0-9A-Za-z]{43}_[0-9A-Za-z]{6}$/);
        expect(text.startsWith(`${keyPrefix(id)}_`)).toBe(true);
        expect(readKey(text)).toEqual({ id, proof });
        expect(looksLikeKey(text)).toBe(true);
      }),
    );
  });

  it('has another secret for other bits, from the first to the last', () => {
    const id = randomBytes(16);
    const [low, high] = [Buffer.alloc(32), Buffer.alloc(32, 0xff)];
    const texts = [low, high, Buffer.concat([low.subarray(1), Buffer.of(1)]), Buffer.concat([Buffer.of(0x80), low.subarray(1)])];
    expect(new Set(texts.map((secret) => writeKey(id, secret).proof)).size).toBe(4);
  });

  it('is refused after any mistake in one place, by its checksum alone', () => {
    const { text } = writeKey(randomBytes(16), randomBytes(32));
    for (let place = 4; place < text.length; place += 1) {
      const other = text[place] === 'a' ? 'b' : 'a';
      expect(readKey(`${text.slice(0, place)}${other}${text.slice(place + 1)}`)).toBeNull();
      expect(readKey(text.slice(0, place) + text.slice(place + 1))).toBeNull();
    }
  });

  it.each(['', 'trx_', 'trx', 'trx_a_b_c', `trx_${'0'.repeat(22)}_${'0'.repeat(43)}`, `trx_${'z'.repeat(22)}_${'0'.repeat(43)}_000000`])(
    'is not %j',
    (text) => {
      expect(readKey(text)).toBeNull();
    },
  );

  it('cannot name an id of more than 128 bits, whatever its checksum', () => {
    const { proof } = writeKey(Buffer.alloc(16, 0xff), randomBytes(32));
    expect(proof.slice(4, 26) < 'z'.repeat(22)).toBe(true);
    expect(readKey(`trx_${'z'.repeat(22)}_${proof.slice(27)}_000000`)).toBeNull();
  });
});

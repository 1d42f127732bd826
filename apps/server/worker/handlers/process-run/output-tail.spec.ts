import { describe, expect, it } from '@jest/globals';
import { OutputTail } from './output-tail.js';

function tailOf(bytes: number, ...chunks: (string | Buffer)[]): string {
  const tail = new OutputTail(bytes);
  for (const chunk of chunks) tail.write(Buffer.from(chunk));
  return tail.toString();
}

describe('OutputTail', () => {
  it('keeps all of what fits, and the end of what does not', () => {
    expect(tailOf(8, 'abc', 'def')).toBe('abcdef');
    expect(tailOf(6, 'abc', 'def')).toBe('abcdef');
    expect(tailOf(4, 'abc', 'def')).toBe('cdef');
    expect(tailOf(4, 'a', 'bcdefghij', 'k')).toBe('hijk');
    expect(tailOf(4, 'abcdefgh')).toBe('efgh');
    expect(tailOf(0, 'abc')).toBe('');
    expect(tailOf(4)).toBe('');
  });

  it('is the end of the whole, however it was cut into chunks', () => {
    const text = Array.from({ length: 500 }, (_, index) => index.toString(36)).join('-');
    for (const size of [1, 2, 7, 63, 64, 65, 200]) {
      const chunks = Array.from({ length: Math.ceil(text.length / size) }, (_, index) => text.slice(index * size, (index + 1) * size));
      expect(tailOf(64, ...chunks)).toBe(text.slice(-64));
    }
  });

  it('never begins inside a character', () => {
    for (const character of ['é', '€', '😀']) {
      const whole = character.repeat(50);
      const bytes = Buffer.byteLength(character);
      for (let size = bytes; size < 40; size += 1) expect(tailOf(size, whole)).toBe(character.repeat(Math.floor(size / bytes)));
    }
  });

  it('puts characters together that came in two chunks, and marks what is no text', () => {
    const [first, second] = [Buffer.from('😀').subarray(0, 2), Buffer.from('😀').subarray(2)];
    expect(tailOf(16, 'a', first, second)).toBe('a😀');
    expect(tailOf(16, Buffer.from([0xff, 0x41, 0xc3]))).toBe('\uFFFDA\uFFFD');
  });
});

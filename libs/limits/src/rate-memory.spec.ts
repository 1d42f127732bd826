import { describe, expect, it } from '@jest/globals';
import { Remembered } from './rate-memory.js';

function remembered(max: number): { of: (key: string) => string; made: string[]; memory: Remembered<string> } {
  const made: string[] = [];
  const memory = new Remembered(max, (key) => {
    made.push(key);
    return key.toUpperCase();
  });
  return { of: (key) => memory.of(key), made, memory };
}

describe('what is remembered', () => {
  it('is made once', () => {
    const { of, made } = remembered(2);
    expect(['a', 'a', 'b', 'a'].map(of)).toEqual(['A', 'A', 'B', 'A']);
    expect(made).toEqual(['a', 'b']);
  });

  it('is forgotten by the one who has not been met for longest', () => {
    const { of, made, memory } = remembered(2);
    ['a', 'b', 'a', 'c'].forEach(of);
    expect([memory.peek('a'), memory.peek('b'), memory.peek('c'), memory.size]).toEqual(['A', undefined, 'C', 2]);
    of('b');
    expect(memory.peek('a')).toBeUndefined();
    expect(made).toEqual(['a', 'b', 'c', 'b']);
  });

  it('counts the meetings in a row as meetings', () => {
    const { of, memory } = remembered(2);
    ['a', 'b', 'b', 'b', 'c'].forEach(of);
    expect([memory.peek('a'), memory.peek('b')]).toEqual([undefined, 'B']);
  });

  it('is of one where there is room for one', () => {
    const { of, memory } = remembered(1);
    expect(['a', 'a', 'b', 'a'].map(of)).toEqual(['A', 'A', 'B', 'A']);
    expect(memory.size).toBe(1);
  });
});

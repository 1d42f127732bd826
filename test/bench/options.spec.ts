import { describe, expect, it } from '@jest/globals';
import { mustKnow, readOptions } from './options.js';

describe('the command line of the bench', () => {
  it.each([
    ['everything', [], false],
    ['some contenders', ['--only', 'product, bullmq'], true],
    ['some measurements', ['--measure', 'bulk'], true],
    ['a look', ['--print'], true],
  ])('leaves the page alone unless it measures all: %s', (_what, args, expected) => {
    expect(readOptions(args).print).toBe(expected);
  });

  it('takes names with commas', () => {
    expect(readOptions(['--only', 'product, bullmq']).only).toEqual(['product', 'bullmq']);
    expect(readOptions([]).only).toBeNull();
  });

  it('says what it knows where a name is none of it', () => {
    expect(() => {
      mustKnow('--only', ['payload', 'payloads'], ['finished', 'payload']);
    }).toThrow('--only knows: finished, payload; not payloads.');
    expect(() => {
      mustKnow('--only', ['payload'], ['finished', 'payload']);
      mustKnow('--only', null, []);
    }).not.toThrow();
  });

  it.each(['0', '101', '1.5', 'many'])('refuses %s rounds', (rounds) => {
    expect(() => readOptions(['--rounds', rounds])).toThrow('--rounds must be a whole number from 1 to 100.');
  });
});

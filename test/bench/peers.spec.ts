import { describe, expect, it } from '@jest/globals';
import { readOptions } from './options.js';
import { isNewer } from './peers.js';
import { complaintsIn } from './remote.js';

describe('the newer Node that some peers need', () => {
  it.each([
    ['22.18.0', true],
    ['24.0.0', true],
    ['22.17.9', false],
    ['20.20.2', false],
    ['', false],
  ])('%s: %s', (version, verdict) => expect(isNewer(version)).toBe(verdict));
});

describe('what a process has written', () => {
  it('is a complaint, unless it is a warning of the product', () => {
    const text = '{"level":"warn","msg":"slow"}\n{"level":"error","msg":"broken"}\nError: of a peer\n';
    expect(complaintsIn(text)).toBe('{"level":"error","msg":"broken"}\nError: of a peer');
    expect(complaintsIn('{"level":"warn","msg":"slow"}\n')).toBe('');
  });
});

describe('the command line', () => {
  it('measures everybody, or only who is named; a profile is of the product', () => {
    expect(readOptions([])).toEqual({
      tasks: 60_000,
      rounds: 3,
      concurrency: 1_000,
      only: null,
      measure: null,
      profile: false,
      print: false,
      smoke: false,
    });
    expect(readOptions(['--only', 'product, bullmq', '--print'])).toMatchObject({ only: ['product', 'bullmq'], print: true });
    expect(readOptions(['--measure', 'bulk, http.accept'])).toMatchObject({ measure: ['bulk', 'http.accept'], only: null, print: true });
    expect(readOptions(['--profile'])).toMatchObject({ rounds: 1, only: ['product', 'embedded'] });
  });

  it.each([
    ['--tasks', '10'],
    ['--rounds', '0'],
    ['--concurrency', '1.5'],
  ])('refuses %s %s with the bounds', (name, value) => {
    expect(() => readOptions([name, value])).toThrow(`${name} must be a whole number from`);
  });
});

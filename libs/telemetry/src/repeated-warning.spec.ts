import { describe, expect, it } from '@jest/globals';
import { repeatedWarning } from './repeated-warning.js';

describe('a warning that repeats', () => {
  it('is written at once, then twice a minute with the number of those left out', () => {
    const lines: object[] = [];
    let time = 0;
    const warn = repeatedWarning({ warn: (fields, msg) => lines.push({ ...fields, msg }) }, () => time, 'It failed.');
    for (; time < 65_000; time += 1_000) warn(new Error(String(time)));
    expect(lines).toEqual([
      { err: new Error('0'), msg: 'It failed.' },
      { err: new Error('30000'), leftOut: 29, msg: 'It failed.' },
      { err: new Error('60000'), leftOut: 29, msg: 'It failed.' },
    ]);
  });
});

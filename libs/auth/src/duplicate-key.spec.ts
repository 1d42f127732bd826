import { describe, expect, it } from '@jest/globals';
import { hasDuplicateKey } from './duplicate-key.js';

describe('hasDuplicateKey', () => {
  it.each([
    '{"a":1,"a":2}',
    '{"a":1,"\\u0061":2}',
    '{"x":{"a":1,"b":[{}],"a":2}}',
    '[{"a":{"b":1}},{"c":1,"c":{}}]',
    '{"a:{":1,"a:{":1}',
    '{"":1 , "" : 2}',
    '{"a\\"":1,"a\\"":2}',
  ])('finds it: %s', (json) => {
    expect(hasDuplicateKey(json)).toBe(true);
  });

  it.each([
    '{}',
    '[]',
    '"a"',
    '1',
    '{"a":{"a":{"a":1}}}',
    '[{"a":1},{"a":1}]',
    '{"a":"a","b":"a:","c":"{\\"c\\":1}"}',
    '{"a":["a","a"],"b":"a"}',
  ])('finds none: %s', (json) => {
    expect(hasDuplicateKey(json)).toBe(false);
  });
});

import { readFileSync } from 'node:fs';
import { describe, expect, it } from '@jest/globals';
import { withConfigurationTable } from './table.js';

describe('the README', () => {
  it('has the table of the settings as they are; renew it with "npm run docs:config"', () => {
    const document = readFileSync(new URL('../../../README.md', import.meta.url), 'utf8');
    expect(document).toBe(withConfigurationTable(document));
  });
});

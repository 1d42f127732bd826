import { readFileSync } from 'node:fs';
import { describe, expect, it } from '@jest/globals';
import { settingEntries } from './settings.js';
import { configurationTable, withConfigurationTable } from './table.js';

const document = readFileSync(new URL('../../../docs/configuration.md', import.meta.url), 'utf8');

describe('configurationTable', () => {
  it('has one row per setting, each with a sentence', () => {
    const rows = configurationTable().split('\n').slice(2);
    expect(rows).toHaveLength(settingEntries().length);
    for (const [, setting] of settingEntries()) expect(setting.doc).toMatch(/^[A-Z].*\.$/);
  });

  it('is what docs/configuration.md says; renew it with "npm run docs:config"', () => {
    expect(document).toBe(withConfigurationTable(document));
  });

  it('refuses a document without its markers', () => {
    expect(() => withConfigurationTable('# Configuration')).toThrow('needs these two lines');
  });
});

/** `docs/guarantees.md` leads a reader from a finding to its proof; a proof that was renamed or deleted must not stay in the table. */
import { existsSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { describe, expect, it } from '@jest/globals';
import { ROOT } from './source-tree.js';

const document = readFileSync(join(ROOT, 'docs/guarantees.md'), 'utf8');
const rows = document
  .split('\n')
  .filter((line) => line.startsWith('| ') && !line.startsWith('| Finding') && !line.startsWith('| ---'))
  .map((line) => line.slice(2, -2).split(/ (?<!\\)\| /));
const proofs = [...document.matchAll(/`((?:test|apps|libs)\/[^`]+\.spec\.ts)`: “([^”]+)”/g)].map(([, file = '', title = '']) => ({
  file,
  title,
}));

/** Whether the file has a test of this title; what the title takes from a table of cases may be anything. */
function has(file: string, title: string): boolean {
  const source = readFileSync(join(ROOT, file), 'utf8').replaceAll("\\'", "'");
  const parts = title.split(/%[sjdi]|\$\w+|\$\{[^}]+\}/).map((part) => part.trim());
  return source.split('\n').some((line) => {
    let from = 0;
    return parts.every((part) => {
      const at = line.indexOf(part, from);
      from = at + part.length;
      return at >= 0;
    });
  });
}

describe('the guarantees', () => {
  it('have each a finding, a sentence and a proof', () => {
    expect(rows.length).toBeGreaterThan(90);
    expect(rows.filter((cells) => cells.length !== 3 || cells[0] === '' || cells[2] === '').map((cells) => cells.join(' | '))).toEqual([]);
  });

  it('name files that exist', () => {
    expect(proofs.length).toBeGreaterThan(120);
    expect(proofs.filter(({ file }) => !existsSync(join(ROOT, file)))).toEqual([]);
  });

  it('name tests that exist', () => {
    expect(proofs.filter(({ file, title }) => existsSync(join(ROOT, file)) && !has(file, title))).toEqual([]);
  });
});

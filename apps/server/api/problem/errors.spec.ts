import { readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { describe, expect, it } from '@jest/globals';
import type { ErrorKind } from '@app/errors';
import { STATUS_OF_KIND } from './problem.js';

const root = join(import.meta.dirname, '../../../..');
const sources = ['libs', 'apps/server/api'].flatMap((folder) =>
  readdirSync(join(root, folder), { recursive: true, encoding: 'utf8' })
    .filter((file) => file.endsWith('.ts') && !file.endsWith('.spec.ts'))
    .map((file) => readFileSync(join(root, folder, file), 'utf8')),
);

function found(pattern: RegExp): string[][] {
  return sources.flatMap((source) => [...source.matchAll(pattern)].map((match) => match.slice(1)));
}

/** code → status, as the sources raise them. */
function raised(): Map<string, number> {
  const statuses = new Map<string, number>();
  const add = (code: string | undefined, status: number): void => {
    if (code !== undefined) {
      // Whatever is internal leaves the process under one code.
      statuses.set(status === 500 ? 'internal' : code, status);
    }
  };
  for (const [kind, code] of found(/(?:super|new TaskRunnerError)\(\s*'([a-z-]+)',\s*'([a-z-]+)'/g)) {
    add(code, STATUS_OF_KIND[kind as ErrorKind]);
  }
  for (const [code] of found(/(?:new MalformedRequest|extends MalformedRequest \{\s*constructor\(\) \{\s*super)\(\s*'([a-z-]+)'/g)) {
    add(code, 400);
  }
  for (const [code] of found(/new InvalidRequest\(\s*'([a-z-]+)'/g)) {
    add(code, 422);
  }
  for (const [code] of found(/new UnsupportedMedia\(\s*'([a-z-]+)'/g)) {
    add(code, 415);
  }
  for (const [status, code] of found(/^ {2}(\d{3}): \{ code: '([a-z-]+)'/gm)) {
    add(code, Number(status));
  }
  return statuses;
}

function documented(heading: string): Map<string, string> {
  const text = readFileSync(join(root, 'docs/errors.md'), 'utf8');
  const section = text.split(/^## /m).find((part) => part.startsWith(heading)) ?? '';
  return new Map([...section.matchAll(/^\| `([a-z-]+)` \| ([^|]+) \|/gm)].map((match) => [match[1] ?? '', match[2] ?? '']));
}

describe('docs/errors.md', () => {
  it('has every code with its status, and no other', () => {
    const inDocs = [...documented('Codes\n')].map(([code, status]) => `${code} ${status}`).sort();
    expect(inDocs).toEqual([...raised()].map(([code, status]) => `${code} ${status}`).sort());
  });

  it('has every code of a single field, and no other', () => {
    const rules = found(/\brule\(\s*'([a-z-]+)'/g).flat();
    const inline = found(/\bpointer.*?\bcode: '([a-z-]+)'/g).flat();
    const named = found(/\brefused\('([a-z-]+)'/g).flat();
    expect([...documented('Codes in').keys()].sort()).toEqual([...new Set([...rules, ...inline, ...named])].sort());
  });
});

/** Every rule is shown a small tree that breaks it: a rule that cannot fail guards nothing. */
import { describe, expect, it } from '@jest/globals';
import { importCycles } from './rules/cycles.js';
import { deadFiles } from './rules/dead.js';
import { forbiddenEdges, lazyAliases, unitOf } from './rules/edges.js';
import { environmentReaders, guardedPackages } from './rules/gatekeepers.js';
import { heavyIsolates } from './rules/isolates.js';
import { foldersOfKind, longFiles, SOURCE_LINES_MAX, strayTopLevel, TEST_LINES_MAX } from './rules/shape.js';
import { anyTypes, bannedWords, machinePaths, starExports, switchedOffTests } from './rules/wording.js';
import { treeOf, type Finding, type SourceTree } from './source-tree.js';

type Rule = (tree: SourceTree) => Finding[];

const house = {
  'libs/errors/src/index.ts': `export { NotFound } from './not-found.js';`,
  'libs/errors/src/not-found.ts': `export class NotFound extends Error {}`,
  'libs/tasks/src/index.ts': `export { read } from './read.js';`,
  'libs/tasks/src/read.ts': `import { NotFound } from '@app/errors';\nimport { DataSource } from 'typeorm';\nexport const read = [NotFound, DataSource];`,
  'apps/server/main.ts': `await import('./api/api.module.js');`,
  'apps/server/api/api.module.ts': `import { read } from '@app/tasks';\nexport const api = read;`,
};

function found(rule: Rule, more: Readonly<Record<string, string>>): string[] {
  return rule(treeOf({ ...house, ...more })).map(({ path, advice }) => `${path} ${advice}`);
}

const EVERY_RULE: readonly Rule[] = [
  ...[forbiddenEdges, lazyAliases, importCycles, guardedPackages, environmentReaders, heavyIsolates, longFiles, foldersOfKind],
  ...[bannedWords, anyTypes, starExports, switchedOffTests, deadFiles],
  (tree) => machinePaths(tree, '/builds/one/checkout'),
];

describe('a tidy tree', () => {
  it('breaks no rule', () => {
    expect(EVERY_RULE.flatMap((rule) => found(rule, {}))).toEqual([]);
  });
});

describe('the unit of a file', () => {
  it.each([
    ['libs/queue/src/keys.ts', 'libs/queue'],
    ['apps/server/api/tasks/tasks.controller.ts', 'apps/server/api'],
    ['apps/server/main.ts', 'apps/server'],
    ['test/tidy/tidy.spec.ts', null],
  ])('%s belongs to %s', (path, unit) => {
    expect(unitOf(path)).toBe(unit);
  });
});

describe('the table of imports refuses', () => {
  it.each([
    ['an edge that is not in it', 'libs/errors/src/x.ts', `import '@app/tasks';`, 'may only know: no lib'],
    ['an app below a lib', 'libs/tasks/src/x.ts', `import '../../../apps/server/main.js';`, 'a lib never imports an app'],
    ['a sibling role', 'apps/server/worker/x.ts', `import '../api/api.module.js';`, 'must not know apps/server/api'],
    ['the wiring from below', 'apps/server/worker/x.ts', `import '../main.js';`, 'must not know apps/server'],
    ['another lib by path', 'apps/server/api/x.ts', `import '../../../libs/tasks/src/read.js';`, 'import it as @app/tasks'],
    ['the own index by name', 'libs/tasks/src/x.ts', `import '@app/tasks';`, 'index of its own lib'],
    ['the own index by path', 'libs/tasks/src/x.ts', `import './index.js';`, 'index of its own lib'],
    ['a file that is not there', 'libs/tasks/src/x.ts', `import './gone.js';`, 'does not exist'],
    ['a lib that is not there', 'libs/tasks/src/x.ts', `import '@app/gone';`, 'does not exist'],
    ['a unit that it does not know', 'libs/stranger/src/x.ts', `export {};`, 'add it to'],
    ['tests below the program', 'libs/tasks/src/x.ts', `import '../../../test/support/until.js';`, 'must not depend on tests'],
    ['a type-only edge as well', 'libs/errors/src/x.ts', `import type { read } from '@app/tasks';`, 'may only know'],
    ['a lazy edge as well', 'libs/errors/src/x.ts', `export const load = () => import('@app/tasks');`, 'may only know'],
  ])('%s', (_what, path, text, advice) => {
    const findings = found(forbiddenEdges, { [path]: text, 'test/support/until.ts': 'export {};' });
    expect(findings).toEqual([expect.stringContaining(advice)]);
    expect(findings[0]).toContain(path);
  });
});

describe('the rule about', () => {
  it('cycles names the whole cycle', () => {
    const findings = found(importCycles, {
      'libs/tasks/src/a.ts': `import './b.js';`,
      'libs/tasks/src/b.ts': `import './c.js';`,
      'libs/tasks/src/c.ts': `import './a.js';`,
    });
    expect(findings).toEqual([
      expect.stringContaining('libs/tasks/src/a.ts → libs/tasks/src/b.ts → libs/tasks/src/c.ts → libs/tasks/src/a.ts'),
    ]);
  });

  it('lazy aliases sees the call and not the import', () => {
    const lazy = `import '@app/errors';\nexport const load = () => import('@app/errors');`;
    expect(found(lazyAliases, { 'libs/tasks/src/x.ts': lazy })).toEqual([
      expect.stringContaining('libs/tasks/src/x.ts:2 loads @app/errors lazily'),
    ]);
  });

  it.each([
    ['apps/server/api/x.ts', 'typeorm'],
    ['libs/queue/src/x.ts', '@nestjs/typeorm'],
    ['libs/tasks/src/x.ts', 'ioredis'],
    ['libs/tasks/src/x.ts', 'mysql2/promise'],
    ['libs/auth/src/x.ts', 'node:https'],
    ['apps/server/worker/x.ts', 'undici'],
  ])('guarded packages stops %s from importing %s', (path, name) => {
    expect(found(guardedPackages, { [path]: `import '${name}';` })).toEqual([expect.stringContaining(`${path} imports ${name}`)]);
  });

  it.each([`process.env['X']`, `process['env'].X`, `(() => { const { env } = process; return env; })()`])(
    'the environment sees %s',
    (text) => {
      expect(found(environmentReaders, { 'libs/tasks/src/x.ts': `export const x = ${text};` })).toHaveLength(1);
    },
  );

  it('the environment sees an import of it, and no comment', () => {
    expect(found(environmentReaders, { 'libs/tasks/src/x.ts': `import { env } from 'node:process';\nexport { env };` })).toHaveLength(1);
    expect(found(environmentReaders, { 'libs/tasks/src/x.ts': '// process.env\n' })).toEqual([]);
  });

  it('isolated handlers finds a package behind their program, and no type', () => {
    const main = 'apps/server/worker/isolates/isolate-main.ts';
    const texts = {
      [main]: `import { x } from '../x.js';\nimport type { Module } from '@nestjs/common';\nexport const y: Module = x;`,
      'apps/server/worker/x.ts': `import 'node:fs';\nimport { Injectable } from '@nestjs/common';\nexport const x = Injectable;`,
    };
    expect(found(heavyIsolates, texts)).toEqual([expect.stringContaining('apps/server/worker/x.ts imports @nestjs/common')]);
  });

  it('length counts sources and tests apart', () => {
    const long = 'export {};\n'.repeat(SOURCE_LINES_MAX + 1);
    expect(found(longFiles, { 'libs/tasks/src/x.ts': long, 'libs/tasks/src/x.spec.ts': long })).toEqual([
      expect.stringContaining('x.ts has 301 lines'),
    ]);
    expect(found(longFiles, { 'test/e2e/x.spec.ts': 'export {};\n'.repeat(TEST_LINES_MAX + 1) })).toHaveLength(1);
  });

  it('folders refuses kinds', () => {
    expect(found(foldersOfKind, { 'libs/tasks/src/utils/x.ts': '' })).toEqual([expect.stringContaining('folder named utils')]);
  });

  it('the top level refuses what is neither allowed nor ignored', () => {
    const findings = strayTopLevel(['apps', 'scripts', 'dist', 'npm-debug.log'], ['dist/', '*.log']);
    expect(findings.map(({ path }) => path)).toEqual(['scripts']);
  });

  it.each(['// TO' + 'DO later', '// FIX' + 'ME', '// @ts-' + 'ignore', '/* eslint-dis' + 'able */'])('words refuses %s', (text) => {
    expect(found(bannedWords, { 'libs/tasks/src/x.ts': text })).toEqual([expect.stringContaining('libs/tasks/src/x.ts:1')]);
  });

  it.each(['cd /ho' + 'me/somebody/project', '"/ro' + 'ot/.cache"', 'see /builds/one/checkout/apps'])(
    'machine paths refuses %s',
    (text) => {
      expect(found((tree) => machinePaths(tree, '/builds/one/checkout'), { 'docs/x.md': `\n${text}\n` })).toEqual([
        expect.stringContaining('docs/x.md:2'),
      ]);
    },
  );

  it.each(['export const x = 1 as any;', 'export let x: any[];', 'export function f(x: Record<string, any>): void { void x; }'])(
    'any sees %s',
    (text) => {
      expect(found(anyTypes, { 'libs/tasks/src/x.ts': text })).toHaveLength(1);
    },
  );

  it.each([`export * from './read.js';`, `export * as all from './read.js';`])('exports refuses %s', (text) => {
    expect(found(starExports, { 'libs/tasks/src/x.ts': text })).toHaveLength(1);
  });

  it.each([`it.skip('x', f);`, `describe.only.each([1])('x', f);`, `xit('x', f);`, `test.todo('x');`])('tests refuses %s', (text) => {
    expect(found(switchedOffTests, { 'test/e2e/x.spec.ts': text })).toHaveLength(1);
  });
});

describe('the rule about dead files', () => {
  it('finds what nobody imports, and what only its own test imports', () => {
    const findings = found(deadFiles, {
      'libs/tasks/src/orphan.ts': '',
      'libs/tasks/src/tested.ts': '',
      'libs/tasks/src/tested.spec.ts': `import './tested.js';`,
      'test/support/orphan.ts': '',
    });
    expect(findings.map((finding) => finding.split(' ')[0])).toEqual([
      'libs/tasks/src/orphan.ts',
      'libs/tasks/src/tested.ts',
      'test/support/orphan.ts',
    ]);
  });

  it('knows threads, scripts and the harness as users', () => {
    const findings = found(deadFiles, {
      'libs/tasks/src/thread.ts': '',
      'libs/tasks/src/read.ts': `new Worker(new URL('./thread.js', import.meta.url));`,
      'apps/server/migrate.ts': '',
      'package.json': `{ "scripts": { "migrate": "node apps/server/start.mjs migrate" } }`,
      'apps/server/start.mjs': '',
      'test/support/clock.ts': '',
      'libs/tasks/src/read.spec.ts': `import '../../../test/support/clock.js';`,
    });
    expect(findings).toEqual([]);
  });
});

/** The structure of this project, as a test. What each rule is for stands in its file under `rules/`. */
import { readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { describe, expect, it } from '@jest/globals';
import { importCycles } from './rules/cycles.js';
import { deadFiles } from './rules/dead.js';
import { forbiddenEdges, lazyAliases } from './rules/edges.js';
import { environmentReaders, guardedPackages } from './rules/gatekeepers.js';
import { heavyIsolates, ISOLATE_PROGRAMS } from './rules/isolates.js';
import { foldersOfKind, longFiles, strayTopLevel } from './rules/shape.js';
import { anyTypes, bannedWords, machinePaths, starExports, switchedOffTests } from './rules/wording.js';
import { programFiles, readTree, ROOT, type Finding } from './source-tree.js';

const tree = readTree();

function asLines(findings: readonly Finding[]): string[] {
  return findings.map(({ path, advice }) => `${path} ${advice}`);
}

describe('the source tree', () => {
  it('was read', () => {
    expect(programFiles(tree).length).toBeGreaterThan(10);
  });

  it('has only the imports that the table allows', () => {
    expect(asLines(forbiddenEdges(tree))).toEqual([]);
  });

  it('loads no lib lazily by its alias', () => {
    expect(asLines(lazyAliases(tree))).toEqual([]);
  });

  it('has no import cycle', () => {
    expect(asLines(importCycles(tree))).toEqual([]);
  });

  it('uses typeorm, database drivers and ioredis only where they belong', () => {
    expect(asLines(guardedPackages(tree))).toEqual([]);
  });

  it('reads the environment only in libs/config', () => {
    expect(asLines(environmentReaders(tree))).toEqual([]);
  });

  it('loads no package into isolated handlers', () => {
    expect(ISOLATE_PROGRAMS.filter((path) => !tree.has(path))).toEqual([]);
    expect(asLines(heavyIsolates(tree))).toEqual([]);
  });

  it('has no file that is too long', () => {
    expect(asLines(longFiles(tree))).toEqual([]);
  });

  it('has no folder named after a kind of file', () => {
    expect(asLines(foldersOfKind(tree))).toEqual([]);
  });

  it('has only the known entries at the top level', () => {
    const ignored = readFileSync(join(ROOT, '.gitignore'), 'utf8').split('\n').filter(Boolean);
    expect(asLines(strayTopLevel(readdirSync(ROOT), ignored))).toEqual([]);
  });

  it('has no unfinished work and no silenced check', () => {
    expect(asLines(bannedWords(tree))).toEqual([]);
  });

  it('names no path of the machine it was written on', () => {
    expect(asLines(machinePaths(tree, ROOT))).toEqual([]);
  });

  it('has no type any', () => {
    expect(asLines(anyTypes(tree))).toEqual([]);
  });

  it('exports by name', () => {
    expect(asLines(starExports(tree))).toEqual([]);
  });

  it('has no test switched off', () => {
    expect(asLines(switchedOffTests(tree))).toEqual([]);
  });

  it('has no dead file', () => {
    expect(asLines(deadFiles(tree))).toEqual([]);
  });
});

/** What comes from others and what must not leave: packages, licences, the lock file, secrets. Each rule is shown to be able to fail. */
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { describe, expect, it } from '@jest/globals';
import { lockedPackages, type LockedPackages } from './rules/licences.js';
import { PEERS_FOLDER, REVIEWED, undeclaredPackages, unusedPackages, type Manifest } from './rules/packages.js';
import { secrets } from './rules/secrets.js';
import { readTree, ROOT, treeOf, type Finding } from './source-tree.js';

const tree = readTree();
const manifest = JSON.parse(readFileSync(join(ROOT, 'package.json'), 'utf8')) as Manifest;
const { packages } = JSON.parse(readFileSync(join(ROOT, 'package-lock.json'), 'utf8')) as { packages: LockedPackages };
const today = new Date().toISOString().slice(0, 10);
const asLines = (findings: readonly Finding[]): string[] => findings.map(({ path, advice }) => `${path} ${advice}`);

describe('the packages', () => {
  it('are all used, or kept for a reason that was looked at lately', () => {
    expect(asLines(unusedPackages(tree, manifest, today))).toEqual([]);
  });

  it('are all declared where they are used', () => {
    expect(asLines(undeclaredPackages(tree, manifest))).toEqual([]);
  });

  it('have licences that may be shipped, come from the registry and are pinned by their content', () => {
    expect(Object.keys(packages).length).toBeGreaterThan(100);
    expect(asLines(lockedPackages(packages))).toEqual([]);
  });

  it('of the peers that the bench measures have the same licences, come from the registry and are pinned too', () => {
    const text = readFileSync(join(ROOT, PEERS_FOLDER, 'package-lock.json'), 'utf8');
    const peers = (JSON.parse(text) as { packages: LockedPackages }).packages;
    expect(Object.keys(peers).length).toBeGreaterThan(100);
    // They are tools of the bench and never shipped.
    const asTools = Object.fromEntries(Object.entries(peers).map(([place, locked]) => [place, { ...locked, dev: true }]));
    expect(asLines(lockedPackages(asTools))).toEqual([]);
  });
});

describe('the files', () => {
  it('hold no secret', () => {
    expect(asLines(secrets(tree))).toEqual([]);
  });
});

describe('the rules find', () => {
  const used = treeOf({ 'libs/a/src/a.ts': `import { x } from 'used/deep';\nimport { y } from '@scope/used';\nimport 'node:fs';` });

  it('a package that nothing uses, and an exception whose time is over or that is none any more', () => {
    const all = { dependencies: { used: '1', '@scope/used': '1', idle: '1', odd: '1' }, devDependencies: {} };
    const odd = { name: 'odd', reason: 'why', until: '2030-01-01' };
    expect(asLines(unusedPackages(used, all, '2029-12-31', [odd]))).toEqual([expect.stringContaining('idle')]);
    expect(asLines(unusedPackages(used, all, '2030-01-02', [odd])).join()).toContain('odd was to be looked at');
    expect(asLines(unusedPackages(used, all, '2029-12-31', [odd, { ...odd, name: 'used' }])).join()).toContain('used is imported');
    expect(REVIEWED.every(({ reason, until }) => reason !== '' && /^\d{4}-\d\d-\d\d$/.test(until))).toBe(true);
  });

  it('a package that is not declared, or only for tests', () => {
    expect(asLines(undeclaredPackages(used, { dependencies: { used: '1' }, devDependencies: { '@scope/used': '1' } }))).toEqual([
      expect.stringContaining('imports @scope/used'),
    ]);
  });

  it('a package of a peer that the peers have not declared, and none that only they use', () => {
    const peers = treeOf({
      [`${PEERS_FOLDER}package.json`]: '{"dependencies":{"theirs":"1"}}',
      [`${PEERS_FOLDER}a.mjs`]: `import 'theirs';\nimport 'idle';`,
    });
    expect(asLines(undeclaredPackages(peers, { dependencies: {}, devDependencies: {} }))).toEqual([
      expect.stringContaining('imports idle'),
    ]);
    expect(unusedPackages(peers, { dependencies: { idle: '1' }, devDependencies: {} }, '2029-12-31', [])).toHaveLength(1);
  });

  it.each([
    ['a licence that may not be shipped', { license: 'GPL-3.0' }, 'GPL-3.0'],
    ['a licence that is only for tools', { license: 'CC-BY-4.0' }, 'CC-BY-4.0'],
    ['no licence', { license: undefined }, '(none)'],
    ['another source', { resolved: 'git+https://github.com/a/b.git' }, 'registry'],
    ['no content hash', { integrity: undefined }, 'pinned'],
    ['no content hash of what may be left out but runs in production', { integrity: undefined, optional: true }, 'pinned'],
    ['a weak content hash', { integrity: 'sha1-x', dev: true, optional: true }, 'pinned'],
  ])('%s', (_what, wrong, words) => {
    const fine = { version: '1.0.0', resolved: 'https://registry.npmjs.org/a/-/a-1.0.0.tgz', integrity: 'sha512-x', license: 'MIT' };
    expect(lockedPackages({ 'node_modules/a': fine })).toEqual([]);
    expect(asLines(lockedPackages({ 'node_modules/a': { ...fine, ...wrong } })).join()).toContain(words);
  });

  it.each([
    ['const key = "AK', 'IAABCDEFGHIJKLMNOP"'],
    ['token: gh', `p_${'a1B2'.repeat(9)}`],
    ['-----BEGIN PRIV', `ATE KEY-----\n${'MIIEvQIBADANBgkqhkiG9w0BAQEFAASC'.repeat(3)}`],
    ['const password = "q8Zr2', 'Lw9Xv4Kt7Bn1Mc5P"'],
    ['{"secret": "Jk3f9', 'QwLz7Yx2Vb8Nm4TrHd"}'],
    ['Bearer ey', `JhbGciOiJIUzI1NiJ9.eyJzdWIiOiJ0ZXN0ZXIifQ.${'c2lnbmF0dXJl'.repeat(4)}`],
  ])('a secret that begins with %s', (...parts) => {
    // In pieces, or this file would break the rule.
    expect(secrets(treeOf({ 'docs/a.md': parts.join('') }))).toHaveLength(1);
  });

  it.each([
    `secret: 'a-secret-for-tests-only-0123456789abcdef'`,
    `token: 'aaaaaaaaaaaaaaaaaaaaaaaaaaaaaa'`,
    'password = process.env.PASSWORD',
  ])('no secret in %j', (text) => {
    expect(secrets(treeOf({ 'docs/a.md': text }))).toEqual([]);
  });
});

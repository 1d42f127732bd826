/**
 * The lock file: every package comes from the public registry, is pinned by its content, and has a licence that may be shipped, or,
 * where it only serves the making, used.
 */
import type { Finding } from '../source-tree.js';

export interface LockedPackage {
  readonly version?: string;
  readonly resolved?: string;
  readonly integrity?: string;
  readonly license?: string;
  readonly dev?: boolean;
  /** For some machines only. */
  readonly optional?: boolean;
}

export type LockedPackages = Readonly<Record<string, LockedPackage>>;

const SHIPPED = new Set([
  'MIT',
  'ISC',
  'Apache-2.0',
  'BSD-2-Clause',
  'BSD-3-Clause',
  'BlueOak-1.0.0',
  '0BSD',
  'Apache-2.0 AND MIT',
  'Python-2.0',
]);
const USED = new Set([...SHIPPED, 'CC-BY-4.0', '(MIT OR CC0-1.0)']);
/** Their package.json says it in a form that npm no longer reads; each says MIT in another file of its own. */
const MIT_BY_FILE = new Set(['busboy', 'passport-strategy', 'pause', 'streamsearch'].map((name) => `node_modules/${name}`));
const REGISTRY = 'https://registry.npmjs.org/';

export function lockedPackages(packages: LockedPackages): Finding[] {
  return Object.entries(packages)
    .filter(([place]) => place !== '')
    .flatMap(([place, locked]) =>
      problemsOf(MIT_BY_FILE.has(place) ? { ...locked, license: 'MIT' } : locked).map((advice) => ({
        path: `package-lock.json ${place}`,
        advice,
      })),
    );
}

function problemsOf({ resolved, integrity, license, dev = false, optional = false }: LockedPackage): string[] {
  const problems: string[] = [];
  if (license === undefined || !(dev ? USED : SHIPPED).has(license)) {
    problems.push(`has the licence ${license ?? '(none)'}: replace it, or have the licence accepted here on purpose`);
  }
  // Without an address it comes from the registry that npm is set to.
  if (resolved?.startsWith(REGISTRY) === false) problems.push('does not come from the public registry');
  // npm writes no hash of a tool's binary for a machine that nobody has installed it on.
  const mayLackHash = dev && optional && integrity === undefined;
  if (integrity?.startsWith('sha512-') !== true && !mayLackHash) problems.push('is not pinned by its content: run npm install again');
  return problems;
}

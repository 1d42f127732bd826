/**
 * Files nobody uses. A file is used when the program imports it, when it is loaded by its address (`new URL('./x.js',
 * import.meta.url)`, as worker threads are), or when it is an entry point: a lib's index, or a file that a script, a
 * configuration file or the build names. A file that only its own unit test imports is dead.
 */
import { posix } from 'node:path';
import { isSpec, type Finding, type SourceFile, type SourceTree } from '../source-tree.js';

const NAMERS = ['package.json', 'jest.config.mjs', 'eslint.config.mjs', 'nest-cli.json', 'Dockerfile', 'docker-compose.yml', '.ci/run'];

export function deadFiles(tree: SourceTree): Finding[] {
  const used = new Set([...tree.values()].flatMap((file) => usedBy(file)));
  const named = NAMERS.map((path) => tree.get(path)?.text ?? '').join('\n');
  return [...tree.values()]
    .filter(({ path }) => /^(apps|libs|test)\/.*\.(ts|mjs)$/.test(path) && !isSpec(path))
    .filter(({ path }) => !used.has(path) && !isEntryPoint(path, named))
    .map(({ path }) => ({ path, advice: 'is imported by nothing but perhaps its own test: use it or remove it' }));
}

/** A unit test uses only what lies elsewhere; its own subject must have another user. */
function usedBy({ path, text, imports }: SourceFile): string[] {
  const imported = imports.flatMap(({ target }) => target ?? []);
  const addressed = [...text.matchAll(/['"](\.[^'"]+)['"],\s*import\.meta\.url/g)].map(([, address]) =>
    posix.join(posix.dirname(path), address ?? ''),
  );
  const all = [...imported, ...addressed, ...addressed.map((address) => address.replace(/\.js$/, '.ts'))];
  return isSpec(path) && !path.startsWith('test/') ? all.filter((target) => target.startsWith('test/')) : all;
}

function isEntryPoint(path: string, named: string): boolean {
  if (/^libs\/[^/]+\/src\/index\.ts$/.test(path)) return true;
  if (named.includes(path) || named.includes(path.replace(/\.ts$/, '.js'))) return true;
  const program = /^apps\/server\/([^/]+)\.ts$/.exec(path)?.[1];
  return program !== undefined && (program === 'main' || named.includes(`start.mjs ${program}`));
}

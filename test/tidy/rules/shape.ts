/** The size of files, the names of folders, and what may stand at the top level. */
import type { Finding, SourceTree } from '../source-tree.js';

export const SOURCE_LINES_MAX = 300;
export const TEST_LINES_MAX = 500;

const KINDS = new Set([
  'common',
  'util',
  'utils',
  'helper',
  'helpers',
  'type',
  'types',
  'interface',
  'interfaces',
  'dto',
  'dtos',
  'enums',
  'misc',
  'shared',
]);

export function longFiles(tree: SourceTree): Finding[] {
  return [...tree.values()].flatMap(({ path, text }) => {
    if (!/\.(ts|mjs)$/.test(path)) return [];
    const max = path.startsWith('test/') || path.endsWith('.spec.ts') ? TEST_LINES_MAX : SOURCE_LINES_MAX;
    const lines = text.replace(/\n$/, '').split('\n').length;
    return lines > max ? [{ path, advice: `has ${lines} lines, at most ${max} are allowed: split it by actor or by statement group` }] : [];
  });
}

export function foldersOfKind(tree: SourceTree): Finding[] {
  return [...tree.keys()].flatMap((path) => {
    const kind = path
      .split('/')
      .slice(0, -1)
      .find((folder) => KINDS.has(folder));
    return kind === undefined
      ? []
      : [{ path, advice: `lies in a folder named ${kind}: name the folder after an actor or a noun of the domain` }];
  });
}

const TOP_LEVEL = new Set([
  ...['apps', 'libs', 'test', 'docs', '.ci', '.github', '.git'],
  ...['README.md', 'LICENSE', 'CHANGELOG.md', 'Dockerfile', 'docker-compose.yml', '.dockerignore', '.gitignore'],
  ...['package.json', 'package-lock.json', '.npmrc', 'nest-cli.json', 'tsconfig.json', 'tsconfig.build.json'],
  ...['jest.config.mjs', 'eslint.config.mjs', '.prettierrc.json', '.prettierignore'],
]);

/** `ignored` are the lines of .gitignore: what they name is not part of the project. */
export function strayTopLevel(entries: readonly string[], ignored: readonly string[]): Finding[] {
  const isIgnored = (entry: string): boolean =>
    ignored.some((line) => (line.startsWith('*') ? entry.endsWith(line.slice(1)) : entry === line.replaceAll('/', '')));
  return entries
    .filter((entry) => !TOP_LEVEL.has(entry) && !isIgnored(entry))
    .map((path) => ({ path, advice: 'is not one of the allowed top-level entries: put it into apps, libs, test or docs' }));
}

/**
 * The packages of the project: each is used, each that is used is declared, and what runs in production is declared as such. An
 * exception has a reason and a date after which somebody has to look at it again.
 */
import { builtinModules } from 'node:module';
import type { Finding, SourceFile, SourceTree } from '../source-tree.js';

export interface Manifest {
  readonly dependencies: Readonly<Record<string, string>>;
  readonly devDependencies: Readonly<Record<string, string>>;
}

export interface Reviewed {
  readonly name: string;
  readonly reason: string;
  /** ISO date. */
  readonly until: string;
}

const TOOLS = ['package.json', 'jest.config.mjs', 'eslint.config.mjs', 'nest-cli.json', 'apps/server/build.mjs', 'test/support/run.mjs'];

/** Has packages of its own, which the bench measures this project against; what lies there imports those. */
export const PEERS_FOLDER = 'test/bench/peers/';

/** Used without being imported by name. */
export const REVIEWED: readonly Reviewed[] = [
  { name: 'class-transformer', reason: 'a peer that @nestjs/swagger and @nestjs/common load by its name', until: '2027-12-31' },
  { name: 'rxjs', reason: 'a peer that @nestjs/common and @nestjs/core import', until: '2027-12-31' },
];

export function unusedPackages(tree: SourceTree, manifest: Manifest, today: string, reviewed: readonly Reviewed[] = REVIEWED): Finding[] {
  const imported = new Set([...tree.values()].filter(({ path }) => !path.startsWith(PEERS_FOLDER)).flatMap(packagesOf));
  const tools = TOOLS.map((path) => tree.get(path)?.text ?? '').join('\n');
  const isUsed = (name: string): boolean => imported.has(name) || isNamed(tools, name) || isTypesOf(name, imported);
  return Object.keys({ ...manifest.dependencies, ...manifest.devDependencies }).flatMap((name) => {
    const exception = reviewed.find((entry) => entry.name === name);
    if (exception === undefined)
      return isUsed(name) ? [] : [{ path: 'package.json', advice: `has ${name}, which nothing uses: remove it` }];
    if (imported.has(name)) return [{ path: 'package.json', advice: `${name} is imported: remove it from the reviewed exceptions` }];
    return exception.until >= today ? [] : [{ path: 'package.json', advice: `${name} was to be looked at again by ${exception.until}` }];
  });
}

export function undeclaredPackages(tree: SourceTree, { dependencies, devDependencies }: Manifest): Finding[] {
  const peers = (JSON.parse(tree.get(`${PEERS_FOLDER}package.json`)?.text ?? '{}') as Partial<Manifest>).dependencies ?? {};
  return [...tree.values()].flatMap((file) => {
    if (file.path.startsWith(PEERS_FOLDER)) return undeclaredPeers(file, peers);
    const isProgram = /^(apps|libs)\//.test(file.path) && !/\.spec\.ts$|\.mjs$/.test(file.path);
    const isDeclared = (name: string): boolean =>
      name in dependencies ||
      (isProgram
        ? isTypeOnly(file, name) && `@types/${name}` in devDependencies
        : name in devDependencies || `@types/${name}` in devDependencies);
    return packagesOf(file)
      .filter((name) => !isDeclared(name))
      .map((name) => ({
        path: file.path,
        advice: `imports ${name}, which package.json does not have among its ${isProgram ? 'dependencies' : 'packages'}`,
      }));
  });
}

function undeclaredPeers(file: SourceFile, peers: Manifest['dependencies']): Finding[] {
  return packagesOf(file)
    .filter((name) => !(name in peers))
    .map((name) => ({ path: file.path, advice: `imports ${name}, which ${PEERS_FOLDER}package.json does not have` }));
}

function packagesOf({ imports }: SourceFile): string[] {
  return imports.flatMap(({ specifier }) => {
    if (/^(\.|node:|@app\/)/.test(specifier) || builtinModules.includes(specifier)) return [];
    return [
      specifier
        .split('/')
        .slice(0, specifier.startsWith('@') ? 2 : 1)
        .join('/'),
    ];
  });
}

function isNamed(tools: string, name: string): boolean {
  const escaped = name.replace(/[/.@-]/g, '\\$&');
  const programs = name === 'typescript' ? '|\\btsc\\b' : name === '@nestjs/cli' ? '|\\bnest\\b' : '';
  // Its own line in package.json does not count.
  return new RegExp(`${escaped}(?!":)\\b${programs}`).test(tools.replaceAll(new RegExp(`"${escaped}": "[^"]*"`, 'g'), ''));
}

function isTypesOf(name: string, imported: ReadonlySet<string>): boolean {
  return name === '@types/node' || (name.startsWith('@types/') && imported.has(name.slice('@types/'.length)));
}

function isTypeOnly({ text }: SourceFile, name: string): boolean {
  const lines = text.split('\n').filter((line) => line.includes(`from '${name}'`));
  return lines.every((line) => line.startsWith('import type '));
}

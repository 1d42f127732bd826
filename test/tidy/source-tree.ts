/** The files of the project as the tidy rules see them: read from disk, or written down in a test of a rule. */
import { existsSync, readdirSync, readFileSync } from 'node:fs';
import { dirname, join, posix } from 'node:path';
import { fileURLToPath } from 'node:url';
import ts from 'typescript';

export interface SourceFile {
  /** From the root of the project, with forward slashes. */
  readonly path: string;
  readonly text: string;
  /** Parsed TypeScript; null for every other kind of file. */
  readonly syntax: ts.SourceFile | null;
  readonly imports: readonly Import[];
}

export interface Import {
  /** As written: `@app/errors`, `./claim.js`, `ioredis`. */
  readonly specifier: string;
  /** The project's own file behind it; null for packages and for files that do not exist. */
  readonly target: string | null;
}

export type SourceTree = ReadonlyMap<string, SourceFile>;

/** One broken rule: which file, and what to do about it. */
export interface Finding {
  readonly path: string;
  readonly advice: string;
}

export const ROOT = fileURLToPath(new URL('../../', import.meta.url)).replace(/\/$/, '');

const FOLDERS = ['apps', 'libs', 'test', 'docs', '.ci', '.github'];
const SKIPPED = new Set(['node_modules', 'dist', 'coverage', 'data']);
const TEXT = /\.(ts|mjs|js|json|md|yml|yaml|sh|sql)$|(^|\/)[^./]+$|^\.[a-z.]+$/;

/** Every text file of the project: the code, the documents, and what stands at the top level. */
export function readTree(): SourceTree {
  const top = readdirSync(ROOT, { withFileTypes: true }).filter((entry) => entry.isFile() && entry.name !== 'package-lock.json');
  const paths = [...top.map((entry) => entry.name), ...FOLDERS.filter((folder) => existsSync(join(ROOT, folder))).flatMap(filesBelow)];
  return treeOf(Object.fromEntries(paths.filter((path) => TEXT.test(path)).map((path) => [path, readFileSync(join(ROOT, path), 'utf8')])));
}

/** The same from texts by path, for tests of the rules. */
export function treeOf(texts: Readonly<Record<string, string>>): SourceTree {
  const known = new Set(Object.keys(texts));
  return new Map(Object.entries(texts).map(([path, text]) => [path, parse(path, text, known)]));
}

export function isSpec(path: string): boolean {
  return path.endsWith('.spec.ts');
}

/** The files of apps and libs that are part of the program. */
export function programFiles(tree: SourceTree): SourceFile[] {
  return [...tree.values()].filter(({ path }) => /^(apps|libs)\/.*\.ts$/.test(path) && !isSpec(path));
}

/** All TypeScript, tests included. */
export function typeScriptFiles(tree: SourceTree): SourceFile[] {
  return [...tree.values()].filter(({ syntax }) => syntax !== null);
}

/** Calls back for every node of the file, top down. */
export function visit(file: SourceFile, callback: (node: ts.Node) => void): void {
  const step = (node: ts.Node): void => {
    callback(node);
    ts.forEachChild(node, step);
  };
  if (file.syntax !== null) step(file.syntax);
}

export function lineOf(file: SourceFile, node: ts.Node): number {
  return file.syntax === null ? 0 : file.syntax.getLineAndCharacterOfPosition(node.getStart(file.syntax)).line + 1;
}

function filesBelow(folder: string): string[] {
  return readdirSync(join(ROOT, folder), { withFileTypes: true }).flatMap((entry) => {
    if (SKIPPED.has(entry.name)) return [];
    const path = posix.join(folder, entry.name);
    return entry.isDirectory() ? filesBelow(path) : [path];
  });
}

function parse(path: string, text: string, known: ReadonlySet<string>): SourceFile {
  if (!/\.(ts|mjs)$/.test(path)) return { path, text, syntax: null, imports: [] };
  const imports = ts.preProcessFile(text, true, false).importedFiles.map(({ fileName }) => ({
    specifier: fileName,
    target: resolve(path, fileName, known),
  }));
  const syntax = path.endsWith('.ts') ? ts.createSourceFile(path, text, ts.ScriptTarget.ES2023, true) : null;
  return { path, text, syntax, imports };
}

function resolve(from: string, specifier: string, known: ReadonlySet<string>): string | null {
  const lib = /^@app\/([a-z-]+)$/.exec(specifier);
  const written = lib ? `libs/${lib[1] ?? ''}/src/index.ts` : posix.join(dirname(from), specifier);
  if (lib === null && !specifier.startsWith('.')) return null;
  return [written, written.replace(/\.js$/, '.ts')].find((path) => known.has(path)) ?? null;
}

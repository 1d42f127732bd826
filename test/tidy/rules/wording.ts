/** What must not be written anywhere: unfinished work, switched-off checks and tests, and traces of one person's machine. */
import ts from 'typescript';
import { lineOf, typeScriptFiles, visit, type Finding, type SourceFile, type SourceTree } from '../source-tree.js';

interface Ban {
  readonly pattern: RegExp;
  readonly advice: string;
}

/** Spelt in pieces, or this file would break its own rules. */
const BANS: readonly Ban[] = [
  {
    pattern: new RegExp(`\\b(${['TO' + 'DO', 'FIX' + 'ME', 'X' + 'XX', 'HA' + 'CK'].join('|')})\\b`),
    advice: 'leaves work unfinished: finish it or open an issue',
  },
  { pattern: new RegExp(['@ts-', '(ignore|expect-error|nocheck)'].join('')), advice: 'silences the compiler: fix the type' },
  {
    pattern: new RegExp(`(${['eslint-dis' + 'able', 'istanbul ig' + 'nore', 'c8 ig' + 'nore'].join('|')})`),
    advice: 'silences a check: fix the code, or change the rule for everybody',
  },
];

/** The home of a person or of a build machine. */
const MACHINE_PATHS = new RegExp(`(^|[\\s"'\`(=:])/(${['wo' + 'rk', 'ro' + 'ot', 'ho' + 'me', 'Us' + 'ers'].join('|')})/[\\w.-]`);

export function bannedWords(tree: SourceTree): Finding[] {
  return eachLine(tree, (line) => BANS.filter(({ pattern }) => pattern.test(line)).map(({ advice }) => advice));
}

/** `root` is where this checkout lies. */
export function machinePaths(tree: SourceTree, root: string): Finding[] {
  const isTelling = root.split('/').length > 2;
  return eachLine(tree, (line) =>
    MACHINE_PATHS.test(line) || (isTelling && line.includes(root))
      ? ['names a path of this machine: write it relative to the project']
      : [],
  );
}

export function anyTypes(tree: SourceTree): Finding[] {
  return eachNode(tree, (node) =>
    node.kind === ts.SyntaxKind.AnyKeyword ? 'uses the type any: name the type, or take unknown and check it' : null,
  );
}

export function starExports(tree: SourceTree): Finding[] {
  return eachNode(tree, (node) =>
    ts.isExportDeclaration(node) && (node.exportClause === undefined || ts.isNamespaceExport(node.exportClause))
      ? 'exports everything: name what is public'
      : null,
  );
}

const TEST_NAMES = new Set(['describe', 'it', 'test']);
const OFF = new Set(['skip', 'only', 'todo', 'failing']);
const OFF_NAMES = new Set(['xit', 'xtest', 'xdescribe', 'fit', 'fdescribe']);

export function switchedOffTests(tree: SourceTree): Finding[] {
  return eachNode(tree, (node) => {
    const isOff =
      (ts.isPropertyAccessExpression(node) && OFF.has(node.name.text) && TEST_NAMES.has(firstName(node))) ||
      (ts.isCallExpression(node) && ts.isIdentifier(node.expression) && OFF_NAMES.has(node.expression.text));
    return isOff ? 'switches tests off or runs one alone: a gate that skips is no gate' : null;
  });
}

function firstName(node: ts.Expression): string {
  if (ts.isPropertyAccessExpression(node)) return firstName(node.expression);
  return ts.isIdentifier(node) ? node.text : '';
}

function eachNode(tree: SourceTree, problemWith: (node: ts.Node) => string | null): Finding[] {
  return typeScriptFiles(tree).flatMap((file) => {
    const findings: Finding[] = [];
    visit(file, (node) => {
      const advice = problemWith(node);
      if (advice !== null) findings.push({ path: `${file.path}:${lineOf(file, node)}`, advice });
    });
    return findings;
  });
}

function eachLine(tree: SourceTree, problemsWith: (line: string) => readonly string[]): Finding[] {
  return [...tree.values()].flatMap((file: SourceFile) =>
    file.text.split('\n').flatMap((line, index) => problemsWith(line).map((advice) => ({ path: `${file.path}:${index + 1}`, advice }))),
  );
}

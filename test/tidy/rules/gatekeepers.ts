/** Things that exactly one place may touch, so that swapping or securing them is the work of one place. */
import ts from 'typescript';
import { lineOf, typeScriptFiles, visit, type Finding, type SourceTree } from '../source-tree.js';

interface Gate {
  readonly packages: RegExp;
  readonly keepers: readonly string[];
  readonly advice: string;
}

export const GATES: readonly Gate[] = [
  {
    packages: /^(@nestjs\/)?typeorm($|\/)/,
    keepers: ['libs/database/', 'libs/audit/', 'libs/auth/', 'libs/limits/', 'libs/tasks/'],
    advice: 'belongs to libs/database and the stores: ask a store for what you need',
  },
  {
    packages: /^(mysql2|@photostructure\/sqlite)($|\/)/,
    keepers: ['libs/database/'],
    advice: 'belongs to libs/database: use its Database',
  },
  { packages: /^ioredis($|\/)/, keepers: ['libs/queue/'], advice: 'belongs to libs/queue: use its port' },
  {
    packages: /^(node:https|https|undici|axios|got|node-fetch)($|\/)/,
    keepers: ['libs/outbound/'],
    advice: 'would send requests past the checks of libs/outbound: use its OutboundClient',
  },
];

export function guardedPackages(tree: SourceTree): Finding[] {
  return [...tree.values()]
    .filter(({ path }) => !path.startsWith('test/'))
    .flatMap((file) =>
      file.imports.flatMap(({ specifier }) =>
        GATES.filter((gate) => gate.packages.test(specifier) && !gate.keepers.some((keeper) => file.path.startsWith(keeper))).map(
          (gate) => ({
            path: file.path,
            advice: `imports ${specifier}, which ${gate.advice}`,
          }),
        ),
      ),
    );
}

/** The environment is read once, in libs/config; everything else is given a typed configuration. */
export function environmentReaders(tree: SourceTree): Finding[] {
  const findings: Finding[] = [];
  for (const file of typeScriptFiles(tree)) {
    if (file.path.startsWith('libs/config/') || file.path.startsWith('test/')) continue;
    visit(file, (node) => {
      if (readsEnvironment(node)) {
        findings.push({
          path: `${file.path}:${lineOf(file, node)}`,
          advice: 'reads process.env: add a setting to libs/config and inject Config',
        });
      }
    });
  }
  return findings;
}

function readsEnvironment(node: ts.Node): boolean {
  if (ts.isPropertyAccessExpression(node)) return isProcess(node.expression) && node.name.text === 'env';
  if (ts.isElementAccessExpression(node)) {
    return isProcess(node.expression) && ts.isStringLiteral(node.argumentExpression) && node.argumentExpression.text === 'env';
  }
  if (ts.isVariableDeclaration(node) && node.initializer !== undefined && isProcess(node.initializer))
    return ts.isObjectBindingPattern(node.name);
  return ts.isImportSpecifier(node) && node.name.text === 'env' && /['"](node:)?process['"]/.test(node.parent.parent.parent.getText());
}

function isProcess(node: ts.Node): boolean {
  return ts.isIdentifier(node) && node.text === 'process';
}

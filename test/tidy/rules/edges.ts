/**
 * Who may know whom. The table is the architecture: an import that is not in it is a decision somebody has to make on purpose,
 * by changing this table in the same commit and saying why.
 */
import ts from 'typescript';
import { lineOf, programFiles, visit, type Finding, type SourceFile, type SourceTree } from '../source-tree.js';

const EVERY_LIB = [
  ...(['audit', 'auth', 'config', 'database', 'errors', 'handlers', 'lifecycle', 'limits', 'outbound'] as const),
  ...(['payloads', 'queue', 'tasks', 'telemetry'] as const),
] as const;

/** Unit → the libs that it may import. What a process does (`apps/server/…`) may use every lib and no sibling. */
export const ALLOWED: Readonly<Record<string, readonly string[]>> = {
  'libs/errors': [],
  'libs/config': ['errors'],
  'libs/lifecycle': ['errors'],
  'libs/telemetry': ['errors'],
  'libs/database': ['config', 'errors', 'lifecycle', 'telemetry'],
  'libs/audit': ['database'],
  'libs/queue': ['config', 'errors', 'lifecycle', 'telemetry'],
  'libs/handlers': ['errors', 'lifecycle', 'telemetry'],
  'libs/payloads': [],
  'libs/outbound': ['config', 'errors', 'lifecycle', 'telemetry'],
  'libs/limits': ['audit', 'config', 'database', 'errors', 'lifecycle', 'telemetry'],
  'libs/tasks': ['audit', 'config', 'database', 'errors', 'lifecycle', 'limits', 'queue', 'telemetry'],
  'libs/auth': ['audit', 'config', 'database', 'errors', 'lifecycle', 'limits', 'outbound', 'telemetry'],
  'apps/server/health': EVERY_LIB,
  'apps/server/api': EVERY_LIB,
  'apps/server/worker': EVERY_LIB,
  'apps/server/scheduler': EVERY_LIB,
  'apps/server': EVERY_LIB,
};

/** The part of the house a file belongs to; null for tests and everything else that no rule of direction binds. */
export function unitOf(path: string): string | null {
  const match = /^(libs\/[^/]+|apps\/[^/]+\/[^/]+(?=\/)|apps\/[^/]+)\//.exec(path);
  return match?.[1] ?? null;
}

export function forbiddenEdges(tree: SourceTree, allowed: Readonly<Record<string, readonly string[]>> = ALLOWED): Finding[] {
  return [...tree.values()].flatMap((file) => {
    const unit = unitOf(file.path);
    if (unit === null) return [];
    const libs = allowed[unit];
    if (libs === undefined) {
      return [
        {
          path: file.path,
          advice: `${unit} is not in the table of allowed imports: add it to test/tidy/rules/edges.ts with what it may know`,
        },
      ];
    }
    return file.imports.flatMap(({ specifier, target }) => {
      const advice = problemWith(file, unit, libs, specifier, target);
      return advice === null ? [] : [{ path: file.path, advice }];
    });
  });
}

function problemWith(file: SourceFile, unit: string, libs: readonly string[], specifier: string, target: string | null): string | null {
  const isOurs = specifier.startsWith('.') || specifier.startsWith('@app/');
  if (!isOurs) return null;
  if (target === null) return `imports ${specifier}, which does not exist: a lib is @app/NAME, a file ends in .js`;
  const other = unitOf(target);
  if (other === null) {
    return isTestOf(file.path, target) ? null : `imports ${target}: the program must not depend on tests or on files outside apps and libs`;
  }
  const isOwnIndex = unit.startsWith('libs/') && target === `${unit}/src/index.ts`;
  if (isOwnIndex) return 'imports the index of its own lib, which can end an ESM boot: import the sibling file by its path';
  if (other === unit) return null;
  if (other.startsWith('libs/')) {
    if (specifier.startsWith('.'))
      return `reaches into ${other} by path: import it as @app/${other.slice('libs/'.length)}, through its index`;
    return libs.includes(other.slice('libs/'.length))
      ? null
      : `imports ${specifier}, but ${unit} may only know: ${libs.join(', ') || 'no lib'}`;
  }
  if (unit.startsWith('libs/')) return `imports ${target}: a lib never imports an app; move what both need into a lib`;
  const isWiring = unit.split('/').length === 2 && other.startsWith(`${unit}/`);
  return isWiring ? null : `imports ${target}: ${unit} must not know ${other}; what both need belongs in a lib`;
}

/** A unit test may use the harness. */
function isTestOf(path: string, target: string): boolean {
  return path.endsWith('.spec.ts') && target.startsWith('test/support/');
}

/** The build rewrites the name of a lib in `import … from`, not in `import()`: the program would end with "Cannot find package". */
export function lazyAliases(tree: SourceTree): Finding[] {
  return programFiles(tree).flatMap((file) => {
    const findings: Finding[] = [];
    visit(file, (node) => {
      if (!ts.isCallExpression(node) || node.expression.kind !== ts.SyntaxKind.ImportKeyword) return;
      const [name] = node.arguments;
      if (name === undefined || !ts.isStringLiteral(name) || !name.text.startsWith('@app/')) return;
      const advice = `loads ${name.text} lazily, which the build leaves unresolved: load a module of this app that imports the lib`;
      findings.push({ path: `${file.path}:${lineOf(file, node)}`, advice });
    });
    return findings;
  });
}

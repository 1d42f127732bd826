/**
 * What the program of an isolated handler loads. Every start of a thread or process pays for it, in time and in memory, so it
 * reaches no package at all: a framework there made a start five times as long. Types cost nothing and do not count.
 */
import ts from 'typescript';
import type { Finding, SourceFile, SourceTree } from '../source-tree.js';

export const ISOLATE_PROGRAMS = ['apps/server/worker/isolates/isolate-main.ts', 'apps/server/worker/isolates/watchdog.ts'];
/** Needed by the decorators of providers, whose options stand in the same lib; small and without imports of its own. */
const TOLERATED = ['reflect-metadata'];

export function heavyIsolates(tree: SourceTree): Finding[] {
  const findings: Finding[] = [];
  const seen = new Set<string>();
  const walk = (path: string): void => {
    const file = tree.get(path);
    if (file === undefined || seen.has(path)) return;
    seen.add(path);
    for (const specifier of runtimeImports(file)) {
      const target = file.imports.find((found) => found.specifier === specifier)?.target ?? null;
      if (target !== null) walk(target);
      else if (!specifier.startsWith('node:') && !TOLERATED.includes(specifier)) {
        findings.push({
          path,
          advice: `imports ${specifier}, and every start of an isolated handler loads this file: import it elsewhere`,
        });
      }
    }
  };
  ISOLATE_PROGRAMS.forEach(walk);
  return findings;
}

function runtimeImports({ syntax }: SourceFile): string[] {
  return (syntax?.statements ?? []).flatMap((statement) => {
    if (!ts.isImportDeclaration(statement) && !ts.isExportDeclaration(statement)) return [];
    const { moduleSpecifier } = statement;
    if (moduleSpecifier === undefined || !ts.isStringLiteral(moduleSpecifier) || isTypeOnly(statement)) return [];
    return [moduleSpecifier.text];
  });
}

function isTypeOnly(statement: ts.ImportDeclaration | ts.ExportDeclaration): boolean {
  return ts.isExportDeclaration(statement) ? statement.isTypeOnly : statement.importClause?.phaseModifier === ts.SyntaxKind.TypeKeyword;
}

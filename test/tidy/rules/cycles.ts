/** Import cycles between files. Under ESM a cycle of injected classes ends the boot with "Cannot access 'X' before initialization". */
import type { Finding, SourceTree } from '../source-tree.js';

export function importCycles(tree: SourceTree): Finding[] {
  const findings: Finding[] = [];
  const done = new Set<string>();
  const trail: string[] = [];

  const walk = (path: string): void => {
    const start = trail.indexOf(path);
    if (start !== -1) {
      const cycle = [...trail.slice(start), path];
      findings.push({ path, advice: `is part of an import cycle, ${cycle.join(' → ')}: move what both need into a file of its own` });
      return;
    }
    if (done.has(path)) return;
    trail.push(path);
    for (const { target } of tree.get(path)?.imports ?? []) if (target !== null) walk(target);
    trail.pop();
    done.add(path);
  };

  for (const path of tree.keys()) walk(path);
  return findings;
}

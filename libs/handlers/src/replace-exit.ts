/**
 * Puts another function in the place of `process.exit`, for a process that runs code of others beside its own. What the program itself
 * needs to end by, it has to keep before.
 */
import { syncBuiltinESMExports } from 'node:module';

/** Also for those who import `exit` by its name. Returns what puts the earlier one back, unless somebody has replaced it again. */
export function replaceExit(exit: typeof process.exit): () => void {
  const before = process.exit;
  put(exit);
  return () => {
    if (process.exit === exit) put(before);
  };
}

function put(exit: typeof process.exit): void {
  process.exit = exit;
  syncBuiltinESMExports();
}

/**
 * Tells the reaper process (`reaper.mjs`) what this process has started, so that nothing outlives a test run, not even one
 * that was ended by SIGKILL. The reaper is started with the first thing to watch.
 */
import { spawn } from 'node:child_process';
import { existsSync, mkdtempSync, realpathSync, rmSync } from 'node:fs';
import type { Socket } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import type { Writable } from 'node:stream';
import { fileURLToPath } from 'node:url';

const REMOVALS_MAX = 20;

export type Watched = 'process' | 'container' | 'directory';

let pipe: Writable | undefined;

function reaper(): Writable {
  if (pipe !== undefined) return pipe;
  const script = fileURLToPath(new URL('./reaper.mjs', import.meta.url));
  const child = spawn(process.execPath, [script], { detached: true, stdio: ['pipe', 'ignore', 'inherit'] });
  child.unref();
  (child.stdin as unknown as Socket).unref();
  pipe = child.stdin;
  return pipe;
}

/** From now on, this is killed or removed when the current process is gone. */
export function watch(kind: Watched, name: string | number): void {
  reaper().write(`${JSON.stringify({ verb: 'watch', kind, name: String(name) })}\n`);
}

/** It has ended, or was removed, in good order. */
export function forget(kind: Watched, name: string | number): void {
  reaper().write(`${JSON.stringify({ verb: 'forget', kind, name: String(name) })}\n`);
}

/** A new folder that only the current user can read, removed at the latest with the current process. */
export function temporaryDirectory(purpose: string): string {
  const path = mkdtempSync(join(realpathSync(tmpdir()), `taskrunnerx-${purpose}-`));
  watch('directory', path);
  return path;
}

/** Also where a process that is about to end writes once more meanwhile: Node.js retries the last step alone, which then fails for ever. */
export function removeDirectory(path: string): void {
  for (let tries = 1; existsSync(path); tries += 1) {
    try {
      rmSync(path, { recursive: true, force: true, maxRetries: 20, retryDelay: 10 });
    } catch (error) {
      if (tries === REMOVALS_MAX || (error as NodeJS.ErrnoException).code !== 'ENOTEMPTY') throw error;
    }
  }
  forget('directory', path);
}

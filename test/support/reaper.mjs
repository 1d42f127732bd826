/**
 * A process that outlives its parent by a moment, to clean up after it. The parent writes what it has started, one per line;
 * when the pipe closes, for whatever reason (a normal end, a crash, SIGKILL), everything still listed is killed and removed.
 * It ignores the signals of the terminal, because Ctrl-C ends its parent, and that is when it has work to do.
 */
import { spawnSync } from 'node:child_process';
import { rmSync } from 'node:fs';
import { createInterface } from 'node:readline';

for (const signal of ['SIGINT', 'SIGTERM', 'SIGHUP']) process.on(signal, () => {});

const listed = { process: new Set(), container: new Set(), directory: new Set() };

for await (const line of createInterface({ input: process.stdin })) {
  const { verb, kind, name } = JSON.parse(line);
  if (verb === 'watch') listed[kind].add(name);
  else listed[kind].delete(name);
}

for (const pid of listed.process) {
  try {
    process.kill(Number(pid), 'SIGKILL');
  } catch {
    // It ended by itself, which is all that was wanted.
  }
}
for (const id of listed.container) spawnSync('docker', ['rm', '--force', '--volumes', id], { stdio: 'ignore' });
for (const path of listed.directory) rmSync(path, { recursive: true, force: true, maxRetries: 20, retryDelay: 100 });

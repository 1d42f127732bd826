/**
 * A disk that takes 1 ms for a sync, as many in a network do: a library that is loaded before the C library's own and waits in each
 * sync. It needs a compiler and a Linux with LD_PRELOAD; who lacks them has no such figures.
 */
import { execFileSync } from 'node:child_process';
import { chmodSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { findProgram } from '../../support/servers/programs.js';
import { removeDirectory, temporaryDirectory } from '../../support/reaper.js';

const SOURCE = `#define _GNU_SOURCE
#include <dlfcn.h>
#include <time.h>

static void wait_for_the_disk(void) {
  struct timespec pause = {0, SYNC_NS};
  nanosleep(&pause, 0);
}

static int passed_on(const char *name, int file) {
  int (*real)(int) = (int (*)(int))dlsym(RTLD_NEXT, name);
  wait_for_the_disk();
  return real(file);
}

int fsync(int file) { return passed_on("fsync", file); }
int fdatasync(int file) { return passed_on("fdatasync", file); }
`;

export interface SlowDisk {
  /** `NAME=value` for the environment of a server. */
  readonly environment: string;
  remove(): void;
}

/** Null where it cannot be had. */
export function slowDisk(syncMs: number): SlowDisk | null {
  const compiler = process.platform === 'linux' ? findProgram('gcc', 'cc') : null;
  if (compiler === null) return null;
  const directory = temporaryDirectory('slow-disk');
  const [source, library] = [join(directory, 'slow-sync.c'), join(directory, 'slow-sync.so')];
  try {
    writeFileSync(source, SOURCE);
    const words = ['-shared', '-fPIC', '-O2', `-DSYNC_NS=${syncMs * 1_000_000}`, '-o', library, source, '-ldl'];
    execFileSync(compiler, words, { stdio: ['ignore', 'ignore', 'pipe'] });
    // A server that runs as another user has to read it.
    chmodSync(directory, 0o755);
    return { environment: `LD_PRELOAD=${library}`, remove: () => removeDirectory(directory) };
  } catch {
    removeDirectory(directory);
    return null;
  }
}

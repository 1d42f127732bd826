/**
 * A process whose date is wrong, by the library `libfaketime` (Debian and Ubuntu: package `faketime`). It is loaded into one
 * process at a time; the monotonic clock stays true, as on a machine whose date was set. Where the library cannot be had, this
 * kind of fault is left out of the campaign, and the table says so.
 */
import { existsSync, readdirSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { spawnSync } from 'node:child_process';
import { canInstallPackages, installPackages } from '../support/servers/packages.js';

const FOLDERS = ['/usr/lib', '/usr/lib64', '/usr/local/lib'];
const LIBRARY = join('faketime', 'libfaketimeMT.so.1');
const HOUR_S = 3_600;

/** The path of the library, installed for this where that is allowed and possible; null where it does not work here. */
export function findFaketime(mayInstall: boolean): string | null {
  const found = locate();
  if (found !== null) return found;
  if (!mayInstall || !canInstallPackages()) return null;
  return installPackages('No libfaketime found.', ['faketime']) ? locate() : null;
}

/** What a process needs in its environment to read its date from `file`; see `setDate`. */
export function faketimeEnvironment(library: string, file: string): Record<string, string> {
  return { LD_PRELOAD: library, FAKETIME_TIMESTAMP_FILE: file, FAKETIME_CACHE_DURATION: '1', FAKETIME_DONT_FAKE_MONOTONIC: '1' };
}

/** The processes that read `file` are off by so many seconds from the next second on. */
export function setDate(file: string, seconds: number): void {
  writeFileSync(file, `${seconds < 0 ? '' : '+'}${seconds}\n`);
}

function locate(): string | null {
  const folders = FOLDERS.filter((folder) => existsSync(folder)).flatMap((folder) => [
    folder,
    ...readdirSync(folder).map((name) => join(folder, name)),
  ]);
  return folders.map((folder) => join(folder, LIBRARY)).find((path) => existsSync(path) && works(path)) ?? null;
}

/** A library of another architecture is there, and does nothing. */
function works(library: string): boolean {
  const { stdout, status } = spawnSync(process.execPath, ['-p', 'Date.now()'], {
    env: { LD_PRELOAD: library, FAKETIME: `+${HOUR_S}`, FAKETIME_DONT_FAKE_MONOTONIC: '1' },
    encoding: 'utf8',
    timeout: 10_000,
  });
  return status === 0 && Number(stdout) - Date.now() > (HOUR_S * 1_000) / 2;
}

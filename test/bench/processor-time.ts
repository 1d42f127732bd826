/**
 * User and system seconds that a process has used. On Linux from /proc, which counts all its threads and any process of this
 * machine; elsewhere from `ps`; null where neither tells, and then that part is shown as not measured.
 */
import { execFileSync } from 'node:child_process';
import { readFileSync } from 'node:fs';

const isLinux = process.platform === 'linux';
let ticks: number | undefined;

/** Resolution: 10 ms on Linux. */
export function processorSeconds(pid: number): number | null {
  if (!isLinux) return secondsOf(ps(pid, 'time'));
  try {
    const text = readFileSync(`/proc/${pid}/stat`, 'latin1');
    // The second field is the program's name in brackets, which may hold anything; user and system time are the 14th and 15th.
    const fields = text.slice(text.lastIndexOf(')') + 2).split(' ');
    ticks ??= Number(execFileSync('getconf', ['CLK_TCK'], { encoding: 'utf8' }));
    return (Number(fields[11]) + Number(fields[12])) / ticks;
  } catch {
    return null;
  }
}

/** The program's name, or null where there is no such process. */
export function programOf(pid: number): string | null {
  if (!isLinux) return ps(pid, 'comm');
  try {
    return readFileSync(`/proc/${pid}/comm`, 'utf8').trim();
  } catch {
    return null;
  }
}

function ps(pid: number, column: string): string | null {
  try {
    return execFileSync('ps', ['-o', `${column}=`, '-p', String(pid)], { encoding: 'utf8', stdio: ['ignore', 'pipe', 'ignore'] }).trim();
  } catch {
    return null;
  }
}

/** `[[days-]hours:]minutes:seconds` as `ps` prints it. */
function secondsOf(text: string | null): number | null {
  const match = /^(?:(?:(\d+)-)?(\d+):)?(\d+):([\d.]+)$/.exec(text ?? '');
  if (match === null) return null;
  const [days, hours, minutes, seconds] = match.slice(1).map((part) => Number(part ?? 0)) as [number, number, number, number];
  return ((days * 24 + hours) * 60 + minutes) * 60 + seconds;
}

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
  return isLinux ? statOf(pid).own : secondsOf(ps(pid, 'time'));
}

/** The same of a process with all its children, ended ones included: a server with a process per connection. Null elsewhere than on Linux. */
export function processorSecondsOfFamily(pid: number): number | null {
  const { own, ended } = statOf(pid);
  if (own === null || ended === null) return null;
  const children = readFileSync(`/proc/${pid}/task/${pid}/children`, 'utf8').trim().split(' ').filter(Boolean);
  return children.reduce((sum, child) => sum + (statOf(Number(child)).own ?? 0), own + ended);
}

function statOf(pid: number): { own: number | null; ended: number | null } {
  try {
    const text = readFileSync(`/proc/${pid}/stat`, 'latin1');
    // The second field is the program's name in brackets, which may hold anything; user and system time are the 14th and 15th, those
    // of ended children follow.
    const fields = text
      .slice(text.lastIndexOf(')') + 2)
      .split(' ')
      .map(Number);
    ticks ??= Number(execFileSync('getconf', ['CLK_TCK'], { encoding: 'utf8' }));
    const [user = 0, system = 0, endedUser = 0, endedSystem = 0] = fields.slice(11, 15);
    return { own: (user + system) / ticks, ended: (endedUser + endedSystem) / ticks };
  } catch {
    return { own: null, ended: null };
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

/**
 * Finds processes that left the group of their program (daemons do) by a mark that they have inherited in their environment. Only
 * where the operating system shows the environment of one's own processes as files, which is Linux; elsewhere nobody is found.
 */
import { readdir, readFile } from 'node:fs/promises';

const ROUNDS_MAX = 10;

/** Kills every process that carries the mark, again until there is none: one may have started another meanwhile. */
export async function killMarked(mark: string): Promise<void> {
  for (let round = 0; round < ROUNDS_MAX; round += 1) {
    const found = await marked(mark);
    if (found.length === 0) return;
    for (const pid of found) kill(pid);
  }
}

async function marked(mark: string): Promise<number[]> {
  const names = await readdir('/proc').catch((): string[] => []);
  const pids = names.filter((name) => /^\d+$/.test(name)).map(Number);
  const carries = await Promise.all(pids.map(async (pid) => (await environmentOf(pid)).includes(mark)));
  return pids.filter((_, index) => carries[index]);
}

/** Empty where the process is gone, is dead already, or is somebody else's. */
const environmentOf = (pid: number): Promise<string> => readFile(`/proc/${pid}/environ`, 'latin1').catch(() => '');

function kill(pid: number): void {
  try {
    process.kill(pid, 'SIGKILL');
  } catch {
    // It was quicker.
  }
}

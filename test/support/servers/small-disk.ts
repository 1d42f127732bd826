/**
 * A disk of a few megabytes that a test can fill and empty: a file system in memory, in a mount namespace of its own, so that it
 * is gone with the process that holds it, whatever becomes of the test. What shall live on it is started inside the namespace.
 */
import { spawn, spawnSync, type ChildProcess } from 'node:child_process';
import { closeSync, mkdirSync, openSync, rmSync, statSync, truncateSync, writeSync } from 'node:fs';
import { join } from 'node:path';
import { forget, removeDirectory, temporaryDirectory, watch } from '../reaper.js';
import { until } from '../until.js';

const CHUNK = Buffer.alloc(64 * 1024, 1);
const isRoot = process.getuid?.() === 0;
/** Who is not root becomes it in a user namespace, where the system allows that. */
const OWN_NAMESPACE: readonly string[] = isRoot ? ['--mount'] : ['--mount', '--user', '--map-root-user'];

/** Whether this machine lets us mount something. */
export function canMakeSmallDisks(): boolean {
  const tried = spawnSync('unshare', [...OWN_NAMESPACE, 'sh', '-c', 'mount -t tmpfs -o size=64k none /mnt && command -v nsenter'], {
    stdio: 'ignore',
  });
  return tried.status === 0;
}

export class SmallDisk {
  private constructor(
    private readonly holder: ChildProcess,
    /** The same inside and outside; outside it looks empty. */
    readonly path: string,
  ) {}

  static async make(megabytes: number): Promise<SmallDisk> {
    const directory = temporaryDirectory('disk');
    const path = join(directory, 'disk');
    mkdirSync(path);
    const script = `mount -t tmpfs -o size=${megabytes}m none ${path} && mkdir ${path}/ready && exec sleep infinity`;
    const holder = spawn('unshare', [...OWN_NAMESPACE, 'sh', '-c', script], { stdio: 'ignore' });
    if (holder.pid === undefined) throw new Error('unshare could not be started');
    watch('process', holder.pid);
    const disk = new SmallDisk(holder, path);
    await until(() => statSync(join(disk.outside, 'ready')).isDirectory(), { what: 'the disk to be mounted' });
    return disk;
  }

  /** The words to put before a command that shall see the disk. */
  get launcher(): readonly string[] {
    const user = isRoot ? [] : ['--user', '--preserve-credentials'];
    return ['nsenter', '--target', String(this.holder.pid), '--mount', ...user];
  }

  /** The path by which a process that does not live on it sees the disk. */
  get outside(): string {
    return join('/proc', String(this.holder.pid), 'root', this.path);
  }

  /** Takes all the space but so many bytes. */
  fill(sparedBytes = 0): void {
    const file = openSync(this.filler, 'a');
    try {
      for (;;) writeSync(file, CHUNK);
    } catch (error) {
      if ((error as NodeJS.ErrnoException).code !== 'ENOSPC') throw error;
    } finally {
      closeSync(file);
    }
    truncateSync(this.filler, Math.max(0, statSync(this.filler).size - sparedBytes));
  }

  free(): void {
    rmSync(this.filler, { force: true });
  }

  /** What lives on it must have ended. */
  remove(): void {
    this.holder.kill('SIGKILL');
    forget('process', this.holder.pid ?? 0);
    removeDirectory(join(this.path, '..'));
  }

  private get filler(): string {
    return join(this.outside, 'filler');
  }
}

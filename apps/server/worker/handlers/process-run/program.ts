/**
 * One program in a process group of its own, from its start until nothing of it runs any more. Told to stop, the whole group gets
 * SIGTERM, and SIGKILL when it has not ended in time. Whatever the program leaves behind when it ends, by itself or not, is killed
 * before its end is told: nothing happens after that.
 */
import { spawn, type ChildProcess } from 'node:child_process';
import { randomUUID } from 'node:crypto';
import { setTimeout as pause } from 'node:timers/promises';
import type { ProgramEnd, ProgramOrder } from './messages.js';
import { OutputTail } from './output-tail.js';
import { killMarked } from './stragglers.js';

/** Carried by everything that the program starts. */
const MARK = 'TASK_PROCESS_MARK';
/** How long the group may take to be gone after SIGKILL, and the pipes to be empty after that. */
const GONE_MS = 500;
const PIPES_MS = 200;
const LOOK_MS = 10;

export class Program {
  private readonly child: ChildProcess;
  private readonly mark = `${MARK}=${randomUUID()}`;
  private readonly stdout: OutputTail;
  private readonly stderr: OutputTail;
  private readonly startedAt = performance.now();
  private killing: NodeJS.Timeout | null = null;
  /** Resolves when nothing of the program runs any more; rejects where it could not be started. */
  readonly ended: Promise<ProgramEnd>;

  /** @throws Error of the operating system where it refuses at once. */
  constructor(private readonly order: ProgramOrder) {
    const { program, args, cwd, env, stdin, outputTailBytes } = order;
    const [name = MARK, value] = this.mark.split('=');
    this.stdout = new OutputTail(outputTailBytes);
    this.stderr = new OutputTail(outputTailBytes);
    this.child = spawn(program, args, {
      cwd,
      env: { ...env, [name]: value },
      detached: true,
      shell: false,
      stdio: ['pipe', 'pipe', 'pipe'],
    });
    // A program that does not read its input closes it; a pipe that breaks when the group is killed has nothing more to say.
    for (const pipe of [this.child.stdin, this.child.stdout, this.child.stderr]) pipe?.on('error', () => undefined);
    this.child.stdout?.on('data', (chunk: Buffer) => {
      this.stdout.write(chunk);
    });
    this.child.stderr?.on('data', (chunk: Buffer) => {
      this.stderr.write(chunk);
    });
    this.child.stdin?.end(stdin ?? '');
    const closed = new Promise<void>((resolve) => this.child.once('close', resolve));
    const exited = new Promise<[number | null, NodeJS.Signals | null]>((resolve, reject) => {
      this.child.once('error', reject);
      this.child.once('exit', (code, signal) => {
        resolve([code, signal]);
      });
    });
    this.ended = exited.then(([exitCode, signal]) => this.leave(exitCode, signal, closed));
  }

  /** Undefined where it could not be started. Also the number of its group. */
  get pid(): number | undefined {
    return this.child.pid;
  }

  /** SIGTERM now, SIGKILL later. */
  stop(): void {
    if (this.killing !== null) return;
    this.signal('SIGTERM');
    this.killing = setTimeout(() => {
      this.signal('SIGKILL');
    }, this.order.killAfterMs);
  }

  /** Kills everything of it that can be found. */
  async kill(): Promise<void> {
    this.signal('SIGKILL');
    await killMarked(this.mark);
  }

  private async leave(exitCode: number | null, signal: NodeJS.Signals | null, closed: Promise<void>): Promise<ProgramEnd> {
    const durationMs = Math.round(performance.now() - this.startedAt);
    if (this.killing !== null) clearTimeout(this.killing);
    await this.kill();
    const giveUpAt = performance.now() + GONE_MS;
    while (this.signal(0) && performance.now() < giveUpAt) await pause(LOOK_MS);
    await Promise.race([closed, pause(PIPES_MS)]);
    // Whoever still holds the other end could keep it open for ever.
    this.child.stdout?.destroy();
    this.child.stderr?.destroy();
    return { exitCode, signal, durationMs, stdoutTail: this.stdout.toString(), stderrTail: this.stderr.toString() };
  }

  /** False where there is nobody in the group. */
  private signal(signal: NodeJS.Signals | 0): boolean {
    const { pid } = this.child;
    try {
      return pid !== undefined && process.kill(-pid, signal);
    } catch {
      return false;
    }
  }
}

/**
 * An isolate in a process of its own, the leader of its own process group: what the handler starts ends with it. Nothing that
 * happens in there, memory included, harms the worker.
 */
import { fork, type ChildProcess } from 'node:child_process';
import type { Readable } from 'node:stream';
import { fileURLToPath } from 'node:url';
import { describeFailure } from '@app/handlers';
import { pause } from '@app/lifecycle';
import { OUT_OF_MEMORY, type Exit, type Isolate, type IsolateSpec, type OutputLine } from './isolate.js';
import type { IsolateStart, Order } from './messages.js';
import { Output } from './output.js';
import { readReport, type Heard } from './read-report.js';

/** How long the last output of a process that has ended is waited for. */
const LAST_OUTPUT_MS = 250;

type Fork = (...parameters: Parameters<typeof fork>) => ChildProcess;

export class ProcessIsolate implements Isolate {
  onReport: ((report: Heard) => void) | null = null;
  onOutput: ((line: OutputLine) => void) | null = null;
  readonly exited: Promise<Exit>;
  private readonly child: ChildProcess;
  private readonly outputs: readonly Output[];
  private over = false;

  constructor(
    readonly spec: IsolateSpec,
    start: IsolateStart,
    env: Readonly<Record<string, string>>,
    forkProcess: Fork = fork,
  ) {
    this.child = forkProcess(fileURLToPath(new URL('./isolate-main.js', import.meta.url)), [JSON.stringify(start)], {
      detached: true,
      env: { ...env },
      execArgv: [`--max-old-space-size=${spec.memoryMb}`],
      stdio: ['ignore', 'pipe', 'pipe', 'ipc'],
    });
    // First of all: a fork that fails says so soon, and an error that nobody hears ends the worker.
    this.exited = this.watch(this.child);
    this.child.on('message', (message: unknown) => this.onReport?.(readReport(message)));
    this.outputs = (['stdout', 'stderr'] as const).flatMap((stream) => {
      // Undefined, whatever the types say, where the machine has no file descriptor left for it.
      const source = this.child[stream] as Readable | null | undefined;
      return source ? [new Output(source, (text) => this.onOutput?.({ stream, text }))] : [];
    });
  }

  send(order: Order): void {
    // Where the channel is closed, the exit tells.
    if (this.child.connected) this.child.send(order, () => undefined);
  }

  outputEnded(key: string): Promise<unknown> {
    return Promise.all(this.outputs.map((output) => output.ended(key)));
  }

  warn(): void {
    this.signal('SIGTERM');
  }

  kill(): void {
    this.signal('SIGKILL');
  }

  private async watch(child: ChildProcess): Promise<Exit> {
    const closed = new Promise<void>((resolve) => child.once('close', () => resolve()));
    const end = await new Promise<Omit<Exit, 'outOfMemory'>>((resolve) => {
      child.once('exit', (code, signal) => {
        resolve({ code, signal, problem: null });
      });
      child.on('error', (error) => {
        if (child.pid === undefined) resolve({ code: null, signal: null, problem: describeFailure(error).message });
      });
    });
    // What the handler has started goes on without its parent until it is told.
    this.kill();
    this.over = true;
    await Promise.race([closed, pause(LAST_OUTPUT_MS)]);
    child.stdout?.destroy();
    child.stderr?.destroy();
    const said = this.outputs.map(({ tail }) => tail).join('\n');
    const outOfMemory = end.signal !== null && (said.includes('JavaScript heap out of memory') || said.includes(OUT_OF_MEMORY));
    return { ...end, outOfMemory };
  }

  /** To the whole group. Its number is not given to others while one of its processes lives; once all are gone, it must rest. */
  private signal(signal: 'SIGTERM' | 'SIGKILL'): void {
    if (this.over || this.child.pid === undefined) return;
    try {
      process.kill(-this.child.pid, signal);
    } catch {
      // There is nobody left.
    }
  }
}

/**
 * An isolate in a thread of the worker. It starts quickly and is ended reliably unless it sits in a call that blocks outside of
 * JavaScript; it shares the fate of the process: what ends that (a crash in native code, one allocation far beyond its memory)
 * ends the worker.
 */
import { Worker } from 'node:worker_threads';
import { describeFailure } from '@app/handlers';
import type { Exit, Isolate, IsolateSpec, OutputLine } from './isolate.js';
import type { IsolateStart, Order } from './messages.js';
import { Output } from './output.js';
import { readReport, type Heard } from './read-report.js';

export class ThreadIsolate implements Isolate {
  onReport: ((report: Heard) => void) | null = null;
  onOutput: ((line: OutputLine) => void) | null = null;
  readonly exited: Promise<Exit>;
  private readonly worker: Worker;
  private readonly outputs: readonly Output[];

  constructor(
    readonly spec: IsolateSpec,
    start: IsolateStart,
    env: Readonly<Record<string, string>>,
  ) {
    const worker = new Worker(new URL('./isolate-main.js', import.meta.url), {
      workerData: start,
      env: { ...env },
      execArgv: [],
      stdout: true,
      stderr: true,
      resourceLimits: { maxOldGenerationSizeMb: spec.memoryMb },
    });
    this.worker = worker;
    this.outputs = (['stdout', 'stderr'] as const).map((stream) => new Output(worker[stream], (text) => this.onOutput?.({ stream, text })));
    worker.on('message', (message: unknown) => this.onReport?.(readReport(message)));
    let problem: { code: string; message: string } | null = null;
    worker.on('error', (error) => {
      problem = describeFailure(error);
    });
    this.exited = new Promise((resolve) => {
      worker.on('exit', (code) => {
        resolve({ code, signal: null, outOfMemory: problem?.code === 'ERR_WORKER_OUT_OF_MEMORY', problem: problem?.message ?? null });
      });
    });
  }

  send(order: Order): void {
    this.worker.postMessage(order);
  }

  outputEnded(key: string): Promise<unknown> {
    return Promise.all(this.outputs.map((output) => output.ended(key)));
  }

  /** A thread has no processes of its own that could be told. */
  warn(): void {
    return;
  }

  kill(): void {
    void this.worker.terminate();
  }
}

/** A thread or process that runs the handlers of one module, one attempt at a time, as the worker sees it. */
import type { Order } from './messages.js';
import type { Heard } from './read-report.js';

export type IsolateKind = 'thread' | 'process';

/** What an isolate is made for; one may take the place of another with the same. */
export interface IsolateSpec {
  readonly kind: IsolateKind;
  /** URL of the module. */
  readonly module: string;
  readonly memoryMb: number;
}

export interface Exit {
  /** Null, like the signal, where it never began. */
  readonly code: number | null;
  readonly signal: string | null;
  readonly outOfMemory: boolean;
  /** What the platform itself said of the end, such as a process that could not be started. */
  readonly problem: string | null;
}

/** A line that the handler wrote past its logger. */
export interface OutputLine {
  readonly stream: 'stdout' | 'stderr';
  readonly text: string;
}

/** Written to stderr by the watchdog of a process before it ends it for want of memory. */
export const OUT_OF_MEMORY = 'The isolate uses too much memory.';

export interface Isolate {
  readonly spec: IsolateSpec;
  /** Whoever uses it hears what it says. Messages that nobody hears are gone. */
  onReport: ((report: Heard) => void) | null;
  onOutput: ((line: OutputLine) => void) | null;
  /** Resolves when nothing of it runs any more, whatever ended it. Never rejects. */
  readonly exited: Promise<Exit>;
  send(order: Order): void;
  /** Resolves when what it wrote during the attempt of this key was read and told, or nothing can be read from it any more. */
  outputEnded(key: string): Promise<unknown>;
  /** The last polite request, to everything that the handler has started. */
  warn(): void;
  /** Ends it by force. What it is doing may not be finished. */
  kill(): void;
}

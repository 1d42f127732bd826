/**
 * What a worker and the thread or process of an isolated handler say to each other. Values that handlers make cross as JSON
 * text, written and measured where they are made. Everything about an attempt carries its key, and what carries another key
 * than that of the attempt under way has no effect: an isolate is used again, and what is late must not count for somebody else.
 */
import type { FailureDescription } from '@app/handlers';
import type { TaskFacts } from '../attempt-context.js';
import type { StopReason } from '../classify.js';
import type { FoundResource, Inheritance } from '../desk.js';

/** What an isolate is told when it is started. */
export interface IsolateStart {
  /** URL of the module whose handlers it runs. */
  readonly module: string;
  readonly memoryMb: number;
  /** The worker's process; an isolate that finds itself without it ends. */
  readonly parentPid: number;
  /** A worker that stands still (SIGSTOP) for this long is about to lose its lease, in ms. */
  readonly frozenMs: number;
}

export interface RunOrder {
  readonly type: 'run';
  readonly key: string;
  readonly handler: string;
  readonly task: TaskFacts;
  /** JSON text. */
  readonly payload: string;
  /** ms since the epoch. */
  readonly deadline: number;
  readonly inherited: Inheritance;
  readonly resultBytesMax: number;
  readonly checkpointBytesMax: number;
  /** How long the worker may take to answer, in ms. */
  readonly deskMs: number;
}

/** What a handler asks of the platform; see `Desk`. */
export type DeskAsk =
  | { readonly what: 'progress'; readonly fraction: number; readonly message: string }
  | { readonly what: 'checkpoint'; readonly json: string }
  | { readonly what: 'register'; readonly kind: string; readonly ref: string }
  | { readonly what: 'release'; readonly id: string };

export interface DeskAnswer {
  readonly type: 'answer';
  readonly key: string;
  readonly ask: number;
  readonly found: FoundResource | null;
  /** Why it was refused; null where it was done. */
  readonly failure: FailureDescription | null;
}

export type Order = RunOrder | { readonly type: 'abort'; readonly key: string; readonly reason: StopReason } | DeskAnswer;

export type LogLevel = 'debug' | 'info' | 'warn' | 'error';

export type Report =
  | { readonly type: 'ready' }
  | { readonly type: 'not-loaded'; readonly message: string }
  | { readonly type: 'asked'; readonly key: string; readonly ask: number; readonly wanted: DeskAsk }
  | { readonly type: 'logged'; readonly key: string; readonly level: LogLevel; readonly message: string; readonly fields: string }
  /** `clean`: nothing that the handler started goes on, so that the isolate may be used again. */
  | { readonly type: 'returned'; readonly key: string; readonly json: string; readonly clean: boolean }
  | { readonly type: 'threw'; readonly key: string; readonly failure: FailureDescription; readonly clean: boolean }
  /** Nobody caught an error. `key` is of the attempt it came from, null outside of any. */
  | { readonly type: 'crashed'; readonly key: string | null; readonly failure: FailureDescription };

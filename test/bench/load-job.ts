/** What the load generator is told and what it answers; both travel between two processes. */

export interface LoadJob {
  readonly url: string;
  readonly token: string;
  /** The tasks are numbered from here on; the handler writes the number down. */
  readonly firstNumber: number;
  readonly tasks: number;
  /** 1 is `POST /api/tasks`, more is `POST /api/tasks/batch`. */
  readonly tasksPerRequest: number;
  /** Connections, each with at most one request in flight. */
  readonly connections: number;
  /** Requests are sent at this pace; null sends the next one as soon as a connection is free. */
  readonly requestsPerSecond: number | null;
}

export interface LoadReport {
  /** Of the first request, in ms of the machine's monotonic clock. */
  readonly startedAt: number;
  /** Per request, in the order of their numbers: when it was due, and how long its answer took from then, in ms. */
  readonly dueAt: Float64Array;
  readonly answeredMs: Float64Array;
}

export type LoadAnswer = { readonly report: LoadReport } | { readonly failure: string };

export const QUEUE = 'bench';

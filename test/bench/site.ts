/** A contender at work, as the bench sees it: something to submit to, something that works, and what both cost. */
import type { Arrivals } from './arrivals.js';
import type { LoadJob, LoadReport } from './load-job.js';

/** Part (`producer`, `worker`, `database` …) → seconds, or null where it could not be measured. */
export type Seconds = Readonly<Record<string, number | null>>;

/** Since some moment in the past; only differences mean something. Null where the server does not tell. */
export interface Counts {
  /** Transactions that have changed something. */
  readonly commits: number | null;
  readonly fsyncs: number | null;
  /** Of SQL. */
  readonly statements: number | null;
  /** To Redis. */
  readonly commands: number | null;
}

export type Load = Omit<LoadJob, 'url' | 'token'> & {
  /** Of the text in a payload, where it is not the ordinary one; only from a program. */
  readonly bytes?: number;
};

export interface Depth {
  readonly unfinished: number;
  readonly failed: number;
}

export interface Site {
  readonly arrivals: Arrivals;
  /** Resolves when all is answered; rejects with the first refusal. */
  submit(load: Load): Promise<LoadReport>;
  /** How many tasks have no recorded outcome yet, and how many a bad one. A contender that does not tell says none. */
  depth(): Promise<Depth>;
  /** CPU used so far by everything that takes part; a load generator outside of it does not. */
  processorTime(): Seconds;
  /** Resident memory of its own processes, in MiB. */
  memory(): Seconds;
  counts(): Promise<Counts>;
  /** From here on tasks are accepted and nobody runs them. */
  stopWorking(): Promise<void>;
  /** Resolves when somebody has been told to work, not when they do. */
  startWorking(): Promise<void>;
  /** Begins profiles of its own processes; the returned function ends them and names their files. */
  profile(label: string): () => Promise<readonly Profile[]>;
  /** Ends everything. Fails where a process has complained: then something else was measured than was meant. */
  close(): Promise<void>;
}

export interface Profile {
  readonly role: string;
  readonly file: string;
}

/** A report as it travels between processes of different versions of Node. */
export interface PlainReport {
  readonly startedAt: number;
  readonly dueAt: readonly number[];
  readonly answeredMs: readonly number[];
}

export function packed({ startedAt, dueAt, answeredMs }: PlainReport): LoadReport {
  return { startedAt, dueAt: Float64Array.from(dueAt), answeredMs: Float64Array.from(answeredMs) };
}

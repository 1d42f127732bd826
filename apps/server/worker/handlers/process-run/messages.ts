/** What the worker and the keeper of its programs say to each other. */
export interface ProgramOrder {
  readonly program: string;
  readonly args: readonly string[];
  readonly cwd: string;
  /** The whole environment. */
  readonly env: Readonly<Record<string, string>>;
  readonly stdin: string | null;
  readonly outputTailBytes: number;
  /** How long a program that was told to stop may take before it is killed, in ms. */
  readonly killAfterMs: number;
}

export interface ProgramEnd {
  /** Null where a signal ended it. */
  readonly exitCode: number | null;
  readonly signal: string | null;
  readonly durationMs: number;
  readonly stdoutTail: string;
  readonly stderrTail: string;
}

/** `run` is the number of the run, unique within a keeper. */
export type ToKeeper = { kind: 'start'; run: number; order: ProgramOrder } | { kind: 'stop'; run: number };

export type FromKeeper =
  | { kind: 'started'; run: number; pid: number }
  | { kind: 'ended'; run: number; end: ProgramEnd }
  /** It could not be started; `code` is the operating system's. */
  | { kind: 'refused'; run: number; code: string };

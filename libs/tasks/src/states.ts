/**
 * The state machine of a task, in one place: the states, the table of moves, and who makes each. Every move is one SQL
 * statement guarded by the state (and, for running tasks, by worker and attempt) it starts from; a move that is not in
 * this table has no statement. `docs/architecture.md` draws it, and a test compares the drawing with this table.
 */

export const TASK_STATES = ['scheduled', 'queued', 'running', 'retrying', 'succeeded', 'failed', 'cancelled', 'expired'] as const;
export type TaskState = (typeof TASK_STATES)[number];

/**
 * A coarse copy of the state that the indexes carry. It changes once on the happy path (live → succeeded, or unrung → succeeded), which
 * is why the hot path can afford an index on it: `waiting` = scheduled or retrying, `unrung` = queued without a doorbell message, or
 * running since a claim that left a note (`claim-notes.ts`), `live` = queued with a message, or running.
 */
export const TASK_PHASES = ['waiting', 'unrung', 'live', 'succeeded', 'failed', 'cancelled', 'expired'] as const;
export type TaskPhase = (typeof TASK_PHASES)[number];

export const FINAL_STATES = ['succeeded', 'failed', 'cancelled', 'expired'] as const satisfies readonly TaskState[];
export type FinalState = (typeof FINAL_STATES)[number];

/** Why a task is `failed`. `attempts_exhausted` and `permanent_error` are the handler's, the rest the platform's. */
export const FAILURE_REASONS = ['attempts_exhausted', 'permanent_error', 'poison', 'unknown_handler', 'deadline_exceeded'] as const;
export type FailureReason = (typeof FAILURE_REASONS)[number];

/** How one attempt ended. Every claim leaves exactly one row with one of these. */
export const ATTEMPT_OUTCOMES = ['succeeded', 'failed', 'timed_out', 'cancelled', 'lost', 'released', 'snoozed'] as const;
export type AttemptOutcome = (typeof ATTEMPT_OUTCOMES)[number];

export interface Move {
  from: TaskState;
  to: TaskState;
  by: 'promoter' | 'worker' | 'sweeper' | 'expirer' | 'canceller' | 'operator';
  why: string;
}

export const MOVES: readonly Move[] = [
  { from: 'scheduled', to: 'queued', by: 'promoter', why: 'its time has come' },
  { from: 'retrying', to: 'queued', by: 'promoter', why: 'its pause is over' },
  { from: 'queued', to: 'running', by: 'worker', why: 'a worker claimed it' },
  { from: 'running', to: 'succeeded', by: 'worker', why: 'the handler returned' },
  { from: 'running', to: 'retrying', by: 'worker', why: 'the handler failed and may try again, or asked for a pause' },
  { from: 'running', to: 'failed', by: 'worker', why: 'the handler failed for good' },
  { from: 'running', to: 'queued', by: 'worker', why: 'a stopping worker gave it back, or its fallback takes over' },
  { from: 'running', to: 'cancelled', by: 'worker', why: 'it was asked to stop and did' },
  { from: 'running', to: 'queued', by: 'sweeper', why: 'its worker is lost' },
  { from: 'running', to: 'failed', by: 'sweeper', why: 'it was there too often when its worker died' },
  { from: 'running', to: 'cancelled', by: 'sweeper', why: 'it was asked to stop and its worker is lost' },
  { from: 'scheduled', to: 'cancelled', by: 'canceller', why: 'somebody asked' },
  { from: 'queued', to: 'cancelled', by: 'canceller', why: 'somebody asked' },
  { from: 'retrying', to: 'cancelled', by: 'canceller', why: 'somebody asked' },
  { from: 'scheduled', to: 'expired', by: 'expirer', why: 'it was not started by expiresAt' },
  { from: 'queued', to: 'expired', by: 'expirer', why: 'it was not started by expiresAt' },
  { from: 'retrying', to: 'expired', by: 'expirer', why: 'it was not started again by expiresAt' },
  { from: 'scheduled', to: 'failed', by: 'expirer', why: 'its deadline passed' },
  { from: 'queued', to: 'failed', by: 'expirer', why: 'its deadline passed, or no live worker has its handler' },
  { from: 'retrying', to: 'failed', by: 'expirer', why: 'its deadline passed, or no live worker has its handler' },
  { from: 'failed', to: 'queued', by: 'operator', why: 'an operator retries it' },
  { from: 'cancelled', to: 'queued', by: 'operator', why: 'an operator retries it' },
  { from: 'expired', to: 'queued', by: 'operator', why: 'an operator retries it' },
];

export function isFinal(state: TaskState): state is FinalState {
  return (FINAL_STATES as readonly TaskState[]).includes(state);
}

/** Whether the table has a move between the two states, by anyone or by the named actor. */
export function mayMove(from: TaskState, to: TaskState, by?: Move['by']): boolean {
  return MOVES.some((move) => move.from === from && move.to === to && (by === undefined || move.by === by));
}

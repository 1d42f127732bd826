/**
 * What the store should do, said once more without a database: a list of tasks and a few rules. The model-based test makes the
 * same moves here and there and compares after each.
 */
import type { AttemptOutcome, FailureReason, TaskState, Verdict } from '@app/tasks';
import { POISON_CRASHES } from './store.js';

export type TimerName = 'run' | 'expire' | 'deadline' | 'unhandled';

export interface ModelTask {
  id: string;
  name: string;
  state: TaskState;
  reason: FailureReason | 'none';
  /** Where it stands while it is queued. */
  phase: 'live' | 'unrung';
  attempts: AttemptOutcome[];
  /** The number of the last claim. */
  attempt: number;
  failures: number;
  crashes: number;
  worker: ModelWorker | null;
  cancelRequested: boolean;
  /** Its expiry or its deadline has passed. */
  over: boolean;
  /** Which timers it has, and whether each is due. */
  timers: Map<TimerName, boolean>;
}

export interface ModelWorker {
  id: Buffer;
  live: boolean;
}

export interface ModelClaim {
  task: ModelTask;
  worker: ModelWorker;
  attempt: number;
  status: 'open' | 'settled' | 'lost';
}

const FINAL: readonly TaskState[] = ['succeeded', 'failed', 'cancelled', 'expired'];
export const ended = (task: ModelTask): boolean => FINAL.includes(task.state);

export class StoreModel {
  readonly tasks: ModelTask[] = [];
  readonly workers: ModelWorker[] = [];
  readonly claims: ModelClaim[] = [];
  readonly keys = new Map<string, { body: string; task: ModelTask }>();

  submit(id: string, name: string, timers: readonly TimerName[]): ModelTask {
    const task: ModelTask = {
      ...{ id, name, state: timers.includes('run') ? 'scheduled' : 'queued', reason: 'none', phase: 'live', attempts: [] },
      ...{ attempt: 0, failures: 0, crashes: 0, worker: null, cancelRequested: false, over: false },
      timers: new Map(timers.map((kind) => [kind, false])),
    };
    this.tasks.push(task);
    return task;
  }

  claimable(task: ModelTask): boolean {
    return task.state === 'queued' && !task.over;
  }

  claim(task: ModelTask, worker: ModelWorker): void {
    task.state = 'running';
    task.worker = worker;
    task.attempt += 1;
    this.claims.push({ task, worker, attempt: task.attempt, status: 'open' });
  }

  /** What the store should answer. */
  settle(claim: ModelClaim, asked: Verdict): 'settled' | 'fenced' {
    if (claim.status !== 'open') return claim.status === 'settled' ? 'settled' : 'fenced';
    const { task } = claim;
    claim.status = 'settled';
    const again = asked.kind === 'retry' || asked.kind === 'released' || (asked.kind === 'crashed' && !asked.poison);
    const yields = task.cancelRequested && again;
    const verdict: Verdict = yields ? { kind: 'cancelled', error: asked.error } : asked;
    task.worker = null;
    task.cancelRequested = false;
    switch (verdict.kind) {
      case 'succeeded':
        task.attempts.push('succeeded');
        task.state = 'succeeded';
        break;
      case 'cancelled':
        task.attempts.push('cancelled');
        task.state = 'cancelled';
        break;
      case 'failed':
        task.attempts.push(verdict.timedOut ? 'timed_out' : 'failed');
        task.failures += 1;
        task.state = 'failed';
        task.reason = verdict.reason;
        break;
      case 'crashed':
        task.attempts.push('lost');
        task.crashes += 1;
        task.state = verdict.poison ? 'failed' : 'queued';
        if (verdict.poison) task.reason = 'poison';
        else task.phase = 'unrung';
        break;
      case 'retry':
        task.attempts.push(verdict.timedOut ? 'timed_out' : 'failed');
        task.failures += 1;
        task.state = 'retrying';
        task.timers.set('run', false);
        break;
      case 'released':
        task.attempts.push('released');
        if (verdict.delayMs > 0) {
          task.state = 'retrying';
          task.timers.set('run', false);
        } else {
          task.state = 'queued';
          task.phase = 'unrung';
        }
        if (verdict.unhandled && !task.timers.has('unhandled')) task.timers.set('unhandled', false);
    }
    return 'settled';
  }

  takeBack(): number {
    const orphans = this.tasks.filter(({ state, worker }) => state === 'running' && worker?.live === false);
    for (const task of orphans) {
      for (const claim of this.claims) if (claim.task === task && claim.status === 'open') claim.status = 'lost';
      task.attempts.push('lost');
      task.crashes += 1;
      task.worker = null;
      if (task.cancelRequested) task.state = 'cancelled';
      else if (task.crashes >= 2 * POISON_CRASHES) {
        task.state = 'failed';
        task.reason = 'poison';
      } else {
        task.state = 'queued';
        task.phase = 'unrung';
      }
      task.cancelRequested = false;
    }
    return orphans.length;
  }

  /** False where there is no such move. */
  cancel(task: ModelTask): boolean {
    if (ended(task)) return false;
    if (task.state === 'running') task.cancelRequested = true;
    else task.state = 'cancelled';
    return true;
  }

  /** False where there is no such move. */
  retry(task: ModelTask): boolean {
    if (!ended(task) || task.state === 'succeeded') return false;
    Object.assign(task, { state: 'queued', phase: 'live', reason: 'none', failures: 0, crashes: 0, over: false, cancelRequested: false });
    task.timers.clear();
    return true;
  }

  promote(): number {
    const due = this.tasks.filter(({ timers }) => timers.get('run') === true);
    for (const task of due) {
      task.timers.delete('run');
      if (task.state !== 'scheduled' && task.state !== 'retrying') continue;
      task.state = 'queued';
      task.phase = 'live';
    }
    return due.length;
  }

  expire(kind: Exclude<TimerName, 'run'>): number {
    const due = this.tasks.filter(({ timers }) => timers.get(kind) === true);
    const served = this.workers.some(({ live }) => live);
    for (const task of due) {
      const known = kind === 'unhandled' && served && task.name === 'echo';
      const waits = kind === 'unhandled' ? !known && (task.state === 'running' || !served) : task.state === 'running';
      if (!ended(task) && waits) {
        task.timers.set(kind, false);
        continue;
      }
      task.timers.delete(kind);
      if (ended(task) || known) continue;
      if (kind === 'expire') task.state = 'expired';
      else {
        task.state = 'failed';
        task.reason = kind === 'deadline' ? 'deadline_exceeded' : 'unknown_handler';
        task.attempt += 1;
        task.attempts.push('failed');
      }
    }
    return due.length;
  }
}

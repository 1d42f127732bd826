/**
 * What the store should do, said once more without a database: a list of tasks and a few rules. The model-based test makes the
 * same moves here and there and compares after each.
 */
import type { AttemptOutcome, FailureReason, TaskState, TimelineKind, Verdict } from '@app/tasks';
import { POISON_CRASHES } from './store.js';

export type TimerName = 'run' | 'expire' | 'deadline' | 'unhandled';
type EventName = Exclude<TimelineKind, 'submitted' | 'started' | 'ended' | 'finished'>;

export interface ModelTask {
  id: string;
  name: string;
  payload: string;
  state: TaskState;
  reason: FailureReason | 'none';
  /** A dead letter that was put aside. */
  discarded: boolean;
  /** Where it stands while it is queued. */
  phase: 'live' | 'unrung';
  /** It was rung so long ago that its message must be lost. */
  stale: boolean;
  /** `by` is null for an end that no worker made. */
  attempts: { outcome: AttemptOutcome; by: ModelWorker | null }[];
  /** The number of the last claim. */
  attempt: number;
  failures: number;
  crashes: number;
  snoozes: number;
  fallbacks: number;
  worker: ModelWorker | null;
  cancelRequested: boolean;
  checkpoint: boolean;
  /** Its expiry or its deadline has passed. */
  over: boolean;
  /** Which timers it has, and whether each is due. */
  timers: Map<TimerName, boolean>;
  /** Which kinds of events have happened to it. */
  events: Set<EventName>;
  /** Its history is gone. */
  pruned: boolean;
}

export interface ModelWorker {
  id: Buffer;
  state: 'live' | 'draining' | 'stopped' | 'lost';
  /** The task that it says it runs by itself. */
  solo: ModelTask | null;
}

export interface ModelClaim {
  task: ModelTask;
  worker: ModelWorker;
  attempt: number;
  status: 'open' | 'settled' | 'lost';
}

const FINAL: readonly TaskState[] = ['succeeded', 'failed', 'cancelled', 'expired'];
export const ended = (task: ModelTask): boolean => FINAL.includes(task.state);
const here = ({ state }: ModelWorker): boolean => state === 'live' || state === 'draining';

export class StoreModel {
  private known: ModelTask[] = [];
  readonly workers: ModelWorker[] = [];
  readonly claims: ModelClaim[] = [];
  readonly keys = new Map<string, { body: string; task: ModelTask }>();
  /** Whether the door takes messages. */
  isOpen = true;

  get tasks(): readonly ModelTask[] {
    return this.known;
  }

  submit(id: string, name: string, timers: readonly TimerName[]): ModelTask {
    const task: ModelTask = {
      ...{ id, name, payload: '{"n":1}', state: timers.includes('run') ? 'scheduled' : 'queued', reason: 'none', discarded: false },
      ...{ phase: this.isOpen ? 'live' : 'unrung', stale: false, attempts: [], attempt: 0, failures: 0, crashes: 0, snoozes: 0 },
      ...{ fallbacks: 0, worker: null, cancelRequested: false, checkpoint: false, over: false, pruned: false },
      timers: new Map(timers.map((kind) => [kind, false])),
      events: new Set(),
    };
    this.known.push(task);
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
    const { task, worker } = claim;
    if (claim.status !== 'open') return claim.status === 'settled' && !task.pruned ? 'settled' : 'fenced';
    claim.status = 'settled';
    const verdict = task.cancelRequested && goesOn(asked) ? ({ kind: 'cancelled', error: null } as const) : asked;
    task.worker = null;
    task.cancelRequested = false;
    const record = (outcome: AttemptOutcome): void => void task.attempts.push({ outcome, by: worker });
    switch (verdict.kind) {
      case 'succeeded':
      case 'cancelled':
        record(verdict.kind);
        task.state = verdict.kind;
        break;
      case 'failed':
        record(verdict.timedOut ? 'timed_out' : 'failed');
        task.failures += 1;
        this.fail(task, verdict.reason);
        break;
      case 'crashed':
        record('lost');
        task.crashes += 1;
        if (verdict.poison) this.poison(task);
        else this.offer(task);
        break;
      case 'retry':
        record(verdict.timedOut ? 'timed_out' : 'failed');
        task.failures += 1;
        this.wait(task, verdict.delayMs);
        break;
      case 'snoozed':
        record('snoozed');
        task.snoozes += 1;
        this.wait(task, verdict.delayMs);
        break;
      case 'fallback':
        record(verdict.timedOut ? 'timed_out' : 'failed');
        Object.assign(task, { fallbacks: task.fallbacks + 1, failures: 0, crashes: 0, snoozes: 0 });
        task.events.add('fell_back');
        this.offer(task);
        break;
      case 'released':
        record('released');
        if (verdict.delayMs > 0) this.wait(task, verdict.delayMs);
        else this.offer(task);
        if (verdict.unhandled && !task.timers.has('unhandled')) task.timers.set('unhandled', false);
    }
    return 'settled';
  }

  /** Whether a running attempt may write beside its outcome. */
  isMine({ status }: ModelClaim): boolean {
    return status === 'open';
  }

  takeBack(): number {
    const orphans = this.known.filter(({ state, worker }) => state === 'running' && worker !== null && !here(worker));
    for (const task of orphans) {
      const worker = task.worker!;
      for (const claim of this.claims) if (claim.task === task && claim.status === 'open') claim.status = 'lost';
      const isAlone = worker.solo === task;
      const hasCrashed = worker.state !== 'stopped' && (worker.solo === null || isAlone);
      task.attempts.push({ outcome: 'lost', by: worker });
      task.crashes += hasCrashed ? 1 : 0;
      task.worker = null;
      task.events.add('taken_back');
      if (task.cancelRequested) {
        task.state = 'cancelled';
        task.events.add('cancelled');
      } else if (hasCrashed && task.crashes >= (isAlone ? 1 : 2) * POISON_CRASHES) this.poison(task);
      else this.offer(task);
      task.cancelRequested = false;
    }
    return orphans.length;
  }

  /** Another process has the file: everybody who was here is gone. */
  takeOver(): number {
    for (const worker of this.workers) if (here(worker)) worker.state = 'lost';
    for (const task of this.known) if (task.state === 'queued') task.phase = 'unrung';
    return this.takeBack();
  }

  /** A worker that was declared lost is alive after all. */
  survive(worker: ModelWorker): void {
    if (worker.state !== 'lost') return;
    worker.state = 'stopped';
    for (const task of new Set(this.heldBy(worker))) {
      if (task.crashes > 0 && task.attempts.some(({ outcome, by }) => outcome === 'lost' && by === worker)) task.crashes -= 1;
    }
  }

  /** What it believes to hold: it has recorded no outcome. */
  heldBy(worker: ModelWorker): ModelTask[] {
    return this.claims.filter((claim) => claim.worker === worker && claim.status !== 'settled').map(({ task }) => task);
  }

  beat(worker: ModelWorker): number {
    return here(worker) ? 1 : 0;
  }

  /** False where there is no such move. */
  cancel(task: ModelTask): boolean {
    if (ended(task)) return false;
    if (task.state === 'running') {
      task.cancelRequested = true;
      task.events.add('cancel_requested');
    } else {
      task.state = 'cancelled';
      task.events.add('cancelled');
    }
    return true;
  }

  /** False where there is no such move. */
  retry(task: ModelTask, payload: string | null): boolean {
    if (!ended(task) || task.state === 'succeeded') return false;
    Object.assign(task, { state: 'queued', reason: 'none', discarded: false, over: false, cancelRequested: false });
    Object.assign(task, { failures: 0, crashes: 0, snoozes: 0, fallbacks: 0 });
    if (payload !== null && payload !== task.payload) Object.assign(task, { payload, checkpoint: false });
    this.ring(task);
    task.timers.clear();
    task.events.add('retried');
    return true;
  }

  /** False where there is no such move. */
  discard(task: ModelTask): boolean {
    if (task.state !== 'failed' || task.discarded) return false;
    task.discarded = true;
    task.events.add('discarded');
    return true;
  }

  promote(): number {
    const due = this.known.filter(({ timers }) => timers.get('run') === true);
    for (const task of due) {
      task.timers.delete('run');
      if (task.state !== 'scheduled' && task.state !== 'retrying') continue;
      task.state = 'queued';
      this.ring(task);
      task.events.add('promoted');
    }
    return due.length;
  }

  expire(kind: Exclude<TimerName, 'run'>): number {
    const due = this.known.filter(({ timers }) => timers.get(kind) === true);
    for (const task of due) {
      task.timers.delete(kind);
      if (ended(task)) continue;
      // Whoever was here a moment ago counts, dead or alive: it may be starting again.
      const isKnown = kind === 'unhandled' && this.workers.length > 0 && task.name === 'echo' && task.fallbacks === 0;
      if (isKnown) continue;
      const isServed = kind !== 'unhandled' || this.workers.some(({ state }) => state === 'live');
      if (task.state === 'running' || !isServed) task.timers.set(kind, false);
      else this.timeOut(task, kind);
    }
    return due.length;
  }

  /** Those whose message is lost are offered where workers look by themselves. */
  reconcile(): number {
    const lost = this.known.filter(({ state, phase, stale }) => state === 'queued' && phase === 'live' && stale);
    for (const task of lost) task.phase = 'unrung';
    return lost.length;
  }

  setAside(tasks: readonly ModelTask[]): void {
    for (const task of tasks) if (task.state === 'queued') task.phase = 'unrung';
  }

  prune(states: readonly TaskState[]): number {
    const old = this.known.filter(({ state }) => ended({ state } as ModelTask) && states.includes(state));
    for (const task of old) task.pruned = true;
    this.known = this.known.filter(({ pruned }) => !pruned);
    return old.length;
  }

  private fail(task: ModelTask, reason: FailureReason): void {
    task.state = 'failed';
    task.reason = reason;
  }

  private poison(task: ModelTask): void {
    this.fail(task, 'poison');
    task.events.add('poisoned');
  }

  private timeOut(task: ModelTask, kind: Exclude<TimerName, 'run'>): void {
    if (kind === 'expire') {
      task.state = 'expired';
      task.events.add('expired');
      return;
    }
    this.fail(task, kind === 'deadline' ? 'deadline_exceeded' : 'unknown_handler');
    task.events.add(kind === 'deadline' ? 'deadline_passed' : 'unhandled');
    task.attempt += 1;
    task.attempts.push({ outcome: 'failed', by: null });
  }

  private wait(task: ModelTask, delayMs: number): void {
    task.state = 'retrying';
    task.timers.set('run', delayMs === 0);
  }

  private offer(task: ModelTask): void {
    Object.assign(task, { state: 'queued', phase: 'unrung', stale: false });
  }

  private ring(task: ModelTask): void {
    Object.assign(task, { phase: this.isOpen ? 'live' : 'unrung', stale: false });
  }
}

/** Whether the task would go round again, which a cancel that was asked for forbids. */
function goesOn(verdict: Verdict): boolean {
  switch (verdict.kind) {
    case 'retry':
    case 'released':
    case 'snoozed':
    case 'fallback':
      return true;
    case 'crashed':
      return !verdict.poison;
    case 'succeeded':
    case 'failed':
    case 'cancelled':
      return false;
  }
}

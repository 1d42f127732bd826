/** What the clients of a campaign were told: the answers, and nothing that anybody concluded from them. Times are ms of `clockMs`. */
import type { PlannedTask } from './plan-tasks.js';

export interface Submission {
  readonly plan: PlannedTask;
  /** Ids in the answers with a 2xx; more than one is one too many. */
  readonly ids: Set<string>;
  /** When the request was sent that was answered with a 2xx first, and when that answer came; null before. */
  sentAt: number | null;
  acceptedAt: number | null;
  cancel: CancelAnswer | null;
}

/** `ended`: the answer showed the task as cancelled; `asked`: it showed it as running still; `late`: it had ended before. */
export type CancelAnswer = 'ended' | 'asked' | 'late';

/** An answer that no fault excuses. */
export interface OddAnswer {
  readonly at: number;
  readonly n: number;
  readonly what: string;
}

export class Ledger {
  readonly submissions: Submission[];
  readonly odd: OddAnswer[] = [];
  /** How often each kind of answer was given: a status, with its code where it is a problem, or what broke the connection. */
  readonly answers = new Map<string, number>();
  /** In the order of their acceptance. */
  readonly accepted: Submission[] = [];

  constructor(plan: readonly PlannedTask[]) {
    this.submissions = plan.map((task) => ({ plan: task, ids: new Set<string>(), sentAt: null, acceptedAt: null, cancel: null }));
  }

  accept(n: number, id: string, sentAt: number, now: number): void {
    const submission = this.of(n);
    submission.ids.add(id);
    if (submission.acceptedAt !== null) return;
    submission.sentAt = sentAt;
    submission.acceptedAt = now;
    this.accepted.push(submission);
  }

  count(answer: string): void {
    this.answers.set(answer, (this.answers.get(answer) ?? 0) + 1);
  }

  of(n: number): Submission {
    const submission = this.submissions[n];
    if (submission === undefined) throw new RangeError(`there is no submission ${n}`);
    return submission;
  }
}

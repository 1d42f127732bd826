/** One thing that is not as it was promised, and the check that looks for such things. */
import type { Case } from './evidence.js';

export interface Finding {
  readonly why: string;
  /** The task and the submission it is about, where it is about one. */
  readonly id: string | null;
  readonly n: number | null;
}

export interface Check {
  /** As in the table. */
  readonly name: string;
  /** What is counted. None is allowed. */
  readonly meaning: string;
  find(found: Case): Finding[];
}

export function finding(why: string, id: string | null, n: number | null): Finding {
  return { why, id, n };
}

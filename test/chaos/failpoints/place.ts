/** One failpoint under trial: its queue, what was promised there, and the process that is about to die. */
import { sql } from '@app/database';
import type { FailpointName } from '@app/lifecycle';
import type { Client } from '../../support/client.js';
import type { App } from '../../support/process.js';
import type { Random } from '../random.js';
import type { House } from './house.js';

/** What must have become of a task in the end. `gone`: its history was deleted after it had ended. */
export type Ending = 'succeeded' | 'failed' | 'cancelled' | 'gone';

export class Place {
  /** By id, as text. */
  readonly promised = new Map<string, Ending>();
  /** Attempts that a worker that was never there has claimed, and so must be lost. */
  phantoms = 0;
  /** Different submissions that were answered: each must be one task. */
  submissions = 0;
  /** The process that is to die: null while none is up. */
  victim: { readonly app: App; readonly client: Client | null } | null = null;

  constructor(
    readonly house: House,
    readonly point: FailpointName,
    readonly random: Random,
    /** Fires when enough have died: nothing new is to be fed. */
    readonly signal: AbortSignal,
  ) {}

  /** Every failpoint has a queue of its own, so that each is counted apart. */
  get queue(): string {
    return `at:${this.point}`;
  }

  promise(id: string, what: Ending = 'succeeded'): void {
    this.promised.set(id, what);
    this.submissions += 1;
  }

  async unfinished(): Promise<number> {
    return this.house.count(sql`tasks WHERE queue = ${this.queue} AND finished_at = 0`);
  }

  /** Tasks and attempts of this queue that should be gone and are not. */
  async left(): Promise<number> {
    if (![...this.promised.values()].includes('gone')) return 0;
    return this.house.count(sql`tasks WHERE queue = ${this.queue}`);
  }
}

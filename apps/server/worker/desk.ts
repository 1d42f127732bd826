/**
 * What an attempt may ask of the platform while it runs, wherever it runs: in this thread, or behind messages in one of its own.
 * Everything written here is written under the lease. A desk whose attempt is over is closed: it takes nothing, and says so.
 */
import type { TaskError } from '@app/tasks';

export interface FoundResource {
  /** Opaque, for `release`. */
  readonly id: string;
  readonly kind: string;
  readonly ref: string;
}

/** What earlier attempts left for this one. */
export interface Inheritance {
  /** JSON text, or null. */
  readonly lastCheckpoint: string | null;
  readonly resources: readonly FoundResource[];
  readonly primaryError: TaskError | null;
}

export const NOTHING_INHERITED: Inheritance = { lastCheckpoint: null, resources: [], primaryError: null };

export interface Desk {
  progress(fraction: number, message: string): Promise<void>;
  /**
   * Resolves when this or a later one is stored. Rejects where it was not, or may not have been: not JSON, too large, too late, or
   * no longer this worker's.
   */
  checkpoint(data: unknown): Promise<void>;
  /** Rejects where it was not stored. */
  register(kind: string, ref: string): Promise<FoundResource>;
  release(id: string): Promise<void>;
}

/** The platform's own end of a desk. */
export interface OpenDesk extends Desk {
  /** The attempt is over: what is asked from now on, and what waits, is refused. */
  close(): void;
}

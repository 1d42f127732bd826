/**
 * What an attempt may ask of the platform while it runs, wherever it runs: in this thread, or behind messages in one of its own.
 * Everything written here is written under the lease; a desk whose attempt is over takes nothing.
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
  /** Rejects where it was not stored: not JSON, too large, too late, or no longer this worker's. */
  checkpoint(data: unknown): Promise<void>;
  /** Rejects where it was not stored. */
  register(kind: string, ref: string): Promise<FoundResource>;
  release(id: string): Promise<void>;
}

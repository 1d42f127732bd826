import { Initial0000000000001 } from './0001-initial.js';
import { History0000000000002 } from './0002-history.js';
import { Limits0000000000005 } from './0005-limits.js';
import { RunningTurns0000000000007 } from './0007-running-turns.js';

/** Every migration, in order. Numbered, immutable once released. */
export const MIGRATIONS = [Initial0000000000001, History0000000000002, Limits0000000000005, RunningTurns0000000000007] as const;

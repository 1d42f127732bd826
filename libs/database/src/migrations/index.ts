import { Initial0000000000001 } from './0001-initial.js';

/** Every migration, in order. Numbered, immutable once released. */
export const MIGRATIONS = [Initial0000000000001] as const;

import { Initial0000000000001 } from './0001-initial.js';
import { History0000000000002 } from './0002-history.js';
import { TokenRevocations0000000000003 } from './0003-token-revocations.js';
import { ApiKeys0000000000004 } from './0004-api-keys.js';
import { Limits0000000000005 } from './0005-limits.js';
import { Rates0000000000006 } from './0006-rates.js';
import { RunningTurns0000000000007 } from './0007-running-turns.js';
import { PayloadBytes0000000000008 } from './0008-payload-bytes.js';
import { ClaimNotes0000000000009 } from './0009-claim-notes.js';

/** Every migration, in order. Numbered, immutable once released. */
export const MIGRATIONS = [
  ...([Initial0000000000001, History0000000000002, TokenRevocations0000000000003] as const),
  ...([ApiKeys0000000000004, Limits0000000000005, Rates0000000000006, RunningTurns0000000000007] as const),
  ...([PayloadBytes0000000000008, ClaimNotes0000000000009] as const),
] as const;

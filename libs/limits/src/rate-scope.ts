/**
 * Names of what is counted. The database gets a hash: of fixed width whatever a token says, and no list of addresses for whoever
 * reads the table.
 */
import { createHash } from 'node:crypto';
import type { Scope } from './rate-store.js';

export type ScopeKind = 'tenant' | 'credential' | 'anonymous' | 'failures' | 'key-failures';

/** No part may hold a NUL, which separates them. */
export function scopeOf(kind: ScopeKind, ...parts: readonly string[]): Scope {
  const bytes = createHash('sha256')
    .update([kind, ...parts].join('\0'))
    .digest();
  return { bytes, key: bytes.toString('latin1') };
}

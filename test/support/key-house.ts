/** The API keys of a test: their actors over a store, as an api puts them together, with a memory of its own for each. */
import { createSecretKey } from 'node:crypto';
import {
  ApiKeys,
  KeyMaker,
  KeyPepper,
  KeyRevoker,
  KeyRotator,
  KeyRows,
  KeyUses,
  KeyVerification,
  SCOPES,
  SigningKey,
  type KeyActor,
  type NewKey,
  type Principal,
  type Scope,
  type SecretKey,
} from '@app/auth';
import { readKey } from '../../libs/auth/src/keys/key-text.js';
import type { Store } from './store.js';

export const PEPPER = 'a-pepper-for-tests-only-0123456789abcdef';
export const CACHE_MS = 2_000;
export const DAY_MS = 86_400_000;
export const LIMITS = { activeMax: 5, lifetimeMaxMs: 365 * DAY_MS };
export const OVERLAP_MAX_MS = 7 * DAY_MS;

const RULES = { issuer: null, audience: null, leewayMs: 0, lifetimeMaxMs: DAY_MS, type: 'any', issuedAtRequired: false } as const;
const SIGNING = new SigningKey('HS256', createSecretKey(Buffer.alloc(32, 7)), RULES);

export function pepperOf(text: string | null, embedded = false): KeyPepper {
  return KeyPepper.resolve({ authKeyPepper: text, embedded }, SIGNING);
}

/** Somebody with a token. */
export function tokenOf({ tenant = 'acme', scopes = SCOPES }: { tenant?: string; scopes?: readonly Scope[] } = {}): Principal {
  return { subject: 'ann', tenant, scopes: new Set(scopes), credential: 'sub:ann', tokenId: null };
}

export function actorOf(principal: Principal, reason = ''): KeyActor {
  return { principal, address: '192.0.2.1', reason };
}

export function newKey(change: Partial<NewKey> = {}): NewKey {
  return { name: 'import', scopes: ['tasks:read'], expiresAt: null, ttlMs: null, ...change };
}

export function keyHouse(store: Store, { pepper = pepperOf(PEPPER), random }: { pepper?: KeyPepper; random?: () => Buffer } = {}) {
  const keys = new ApiKeys(store.database);
  const rows = new KeyRows(store.database, store.clock, CACHE_MS);
  const uses = new KeyUses(store.database);
  const verification = new KeyVerification(pepper, rows, uses);
  const maker = new KeyMaker(store.database, store.ids, pepper, keys, LIMITS, random);
  return {
    keys,
    rows,
    uses,
    maker,
    rotator: new KeyRotator(store.database, store.ids, pepper, keys, rows, OVERLAP_MAX_MS),
    revoker: new KeyRevoker(store.database, store.ids, keys, rows),
    verify: (credential: string): Promise<Principal> => verification.verify(readKey(credential)),
    make: (change: Partial<NewKey> = {}, principal = tokenOf()): Promise<SecretKey> => maker.make(actorOf(principal), newKey(change)),
  };
}

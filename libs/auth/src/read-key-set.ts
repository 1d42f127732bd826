/**
 * Reads a JSON Web Key Set (RFC 7517) into keys that tokens may be verified with. A key that is for something else, weak, or of a
 * kind that is not supported is passed over, because an issuer serves others than us; a shared secret is never taken from a
 * document that anybody can read, and a key that comes with its private part is known to the world.
 */
import { createPublicKey } from 'node:crypto';
import { hasDuplicateKey } from './duplicate-key.js';
import { algorithmOf, type VerificationKey } from './token-keys.js';

const KEYS_MAX = 50;
const KEY_ID_MAX_LENGTH = 128;
const PRIVATE_PARTS = ['d', 'p', 'q', 'dp', 'dq', 'qi', 'oth', 'k'];
const SHOWN_LENGTH = 64;

export interface ReadKeySet {
  /** By `kid`; null for a key without one, which serves tokens without one while it is the only key. */
  readonly keys: ReadonlyMap<string | null, VerificationKey>;
  /** Why keys were passed over, in words for the log; the same for the same document. */
  readonly ignored: readonly string[];
}

type Jwk = Readonly<Record<string, unknown>>;

/** @throws Error where the text is no key set, or a larger one than is read */
export function readKeySet(text: string): ReadKeySet {
  const document: unknown = JSON.parse(text);
  const entries = isObject(document) ? document['keys'] : undefined;
  if (!Array.isArray(entries) || hasDuplicateKey(text)) {
    throw new Error('The document is not a JSON Web Key Set.');
  }
  if (entries.length > KEYS_MAX) {
    throw new Error(`The key set has more than ${KEYS_MAX} keys.`);
  }
  const keys = new Map<string | null, VerificationKey>();
  const twice = new Set<string | null>();
  const ignored: string[] = [];
  entries.forEach((entry: unknown, index) => {
    const read = readKey(entry);
    const name = isObject(entry) && typeof entry['kid'] === 'string' ? `kid ${entry['kid'].slice(0, SHOWN_LENGTH)}` : `number ${index + 1}`;
    if (typeof read === 'string') {
      ignored.push(`${name}: ${read}`);
      return;
    }
    const same = keys.get(read.keyId);
    if (same !== undefined && !isSame(same, read)) twice.add(read.keyId);
    keys.set(read.keyId, read);
  });
  for (const keyId of twice) {
    keys.delete(keyId);
    ignored.push(`kid ${keyId?.slice(0, SHOWN_LENGTH) ?? 'missing'}: several keys have it`);
  }
  return { keys, ignored };
}

export function isSame(one: VerificationKey, other: VerificationKey): boolean {
  return one.algorithm === other.algorithm && one.key.equals(other.key);
}

/** The key, or why it is passed over. */
function readKey(jwk: unknown): (VerificationKey & { readonly keyId: string | null }) | string {
  if (!isObject(jwk)) return 'not an object';
  if (PRIVATE_PARTS.some((part) => Object.hasOwn(jwk, part))) return 'holds a secret or the private part of a key';
  const { kid: keyId = null } = jwk;
  if (keyId !== null && (typeof keyId !== 'string' || keyId === '' || keyId.length > KEY_ID_MAX_LENGTH))
    return 'its kid is not a short text';
  if (!isForSignatures(jwk)) return 'for another use than signatures';
  const key = parse(jwk);
  const algorithm = key === null ? null : algorithmOf(key);
  if (key === null || algorithm === null) return 'weak, broken, or of a kind that is not supported';
  if (jwk['alg'] !== undefined && jwk['alg'] !== algorithm) return `for another algorithm than ${algorithm}`;
  return { keyId, key, algorithm };
}

function isForSignatures({ use, key_ops: operations }: Jwk): boolean {
  const isRightUse = use === undefined || use === 'sig';
  return isRightUse && (operations === undefined || (Array.isArray(operations) && operations.includes('verify')));
}

function parse(jwk: Jwk) {
  try {
    return createPublicKey({ key: { ...jwk }, format: 'jwk' });
  } catch {
    return null;
  }
}

function isObject(value: unknown): value is Jwk {
  return typeof value === 'object' && value !== null && !Array.isArray(value);
}

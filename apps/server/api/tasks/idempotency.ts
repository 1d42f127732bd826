/**
 * The idempotency of a submission: the key only as its hash, and a fingerprint of what was asked, so that a key cannot be
 * reused for something else. The fingerprint is taken from the value and not from the text: spacing and the order of keys
 * do not make another request.
 */
import { createHash } from 'node:crypto';
import type { IncomingMessage } from 'node:http';
import { MalformedRequest } from '@app/errors';
import type { IdempotencyClaim } from '@app/tasks';

const KEY_MAX_LENGTH = 255;
const PRINTABLE = /^[\x20-\x7e]+$/;

/** The header in words of the document. */
export const KEY_HEADER = {
  name: 'Idempotency-Key',
  required: false,
  schema: { type: 'string', minLength: 1, maxLength: KEY_MAX_LENGTH, pattern: '^[\\x20-\\x7e]+$' },
} as const;

export function isIdempotencyKey(value: unknown): value is string {
  return typeof value === 'string' && value.length <= KEY_MAX_LENGTH && PRINTABLE.test(value) && value.trim() !== '';
}

/**
 * The `Idempotency-Key` header, or null where there is none. Sent twice it is no key: Node would join the two to one that nobody chose.
 * @throws MalformedRequest `idempotency-key-invalid`
 */
export function readIdempotencyKey(request: Pick<IncomingMessage, 'headers' | 'headersDistinct'>): string | null {
  // Node makes the distinct ones of all headers at the first look, which most requests can do without.
  if (request.headers['idempotency-key'] === undefined) {
    return null;
  }
  const [header = '', another] = request.headersDistinct['idempotency-key'] ?? [];
  if (another !== undefined || !isIdempotencyKey(header)) {
    throw new MalformedRequest(
      'idempotency-key-invalid',
      'Idempotency-Key must be sent once, with 1 to 255 printable ASCII characters, not only spaces.',
      {
        fields: [{ pointer: 'Idempotency-Key', code: 'idempotency-key-invalid', message: 'not acceptable' }],
      },
    );
  }
  return header.trim();
}

/** @param request the validated body, without the key itself */
export function idempotencyClaim(key: string, request: object): IdempotencyClaim {
  return { keyHash: sha256(key.trim()), fingerprint: sha256(canonicalJson(request)) };
}

/** JSON with sorted keys. The value is a parsed body, so its depth is bounded and it holds nothing but JSON. */
export function canonicalJson(value: unknown): string {
  if (Array.isArray(value)) {
    return `[${value.map(canonicalJson).join(',')}]`;
  }
  if (typeof value === 'object' && value !== null) {
    const entries = Object.entries(value).filter(([, member]) => member !== undefined);
    entries.sort(([a], [b]) => (a < b ? -1 : 1));
    return `{${entries.map(([key, member]) => `${JSON.stringify(key)}:${canonicalJson(member)}`).join(',')}}`;
  }
  return JSON.stringify(value);
}

function sha256(text: string): Buffer {
  return createHash('sha256').update(text).digest();
}

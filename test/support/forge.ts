/**
 * Tokens as an attacker or a broken issuer would make them: any header and any claims under any signature, put together by hand,
 * because libraries refuse to sign most of them.
 */
import { createHmac, sign, type KeyObject } from 'node:crypto';

/** Signs the first two parts of a token. */
export type Signer = (text: string) => Buffer;

/** A text is taken as it is, everything else is written as JSON. */
export const part = (value: unknown): string =>
  Buffer.from(typeof value === 'string' ? value : JSON.stringify(value)).toString('base64url');

export const hs256 =
  (secret: string | Buffer): Signer =>
  (text) =>
    createHmac('sha256', secret).update(text).digest();

/** With a private key: PKCS #1 for RSA, r and s side by side for EC, and Ed25519 as it is. */
export const withKey =
  (key: KeyObject, hash = 'sha256'): Signer =>
  (text) =>
    sign(key.asymmetricKeyType === 'ed25519' ? null : hash, Buffer.from(text), { key, dsaEncoding: 'ieee-p1363' });

export const withBytes =
  (bytes: Buffer): Signer =>
  () =>
    bytes;

export function forge(header: unknown, claims: unknown, signer: Signer): string {
  const text = `${part(header)}.${part(claims)}`;
  return `${text}.${signer(text).toString('base64url')}`;
}

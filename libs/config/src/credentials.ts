/**
 * The key that tokens are verified with. A weak key is refused at boot, not at the first request, and a private key where
 * a public one belongs is refused by name: it would work, and it would sit in an environment where it has no business.
 */
import { createPublicKey, type KeyObject } from 'node:crypto';
import { about, type About, type Reading, type Setting } from './setting.js';

const SECRET_BYTES_MIN = 32;
/** Secrets out of well-known examples: long enough, and known to everybody. */
const EXAMPLES: ReadonlySet<string> = new Set(['a-string-secret-at-least-256-bits-long']);
const RSA_BITS_MIN = 2_048;

/** A shared secret for HS256, at least 32 bytes of UTF-8. */
export function sharedSecret(options: About): Setting<string | null> {
  return {
    ...about({ ...options, secret: true }),
    fallback: null,
    shownDefault: 'unset',
    accepts: `at least ${SECRET_BYTES_MIN} bytes`,
    read: (raw) => {
      if (EXAMPLES.has(raw)) return { problem: 'is the secret of a well-known example. "openssl rand -base64 48" makes a good one.' };
      return Buffer.byteLength(raw, 'utf8') >= SECRET_BYTES_MIN
        ? { value: raw }
        : { problem: `must have at least ${SECRET_BYTES_MIN} bytes. "openssl rand -base64 48" makes a good one.` };
    },
  };
}

/** A public key as PEM text; `\n` may stand for a line break. The value is the PEM with real line breaks. */
export function publicKey(options: About): Setting<string | null> {
  return {
    ...about(options),
    fallback: null,
    shownDefault: 'unset',
    accepts: `PEM text, RSA of at least ${RSA_BITS_MIN} bits, EC P-256 or Ed25519; \`\\n\` may stand for a line break`,
    keepsWhiteSpace: true,
    read: readPublicKey,
  };
}

function readPublicKey(raw: string): Reading<string> {
  const pem = `${raw.replaceAll('\\n', '\n').trim()}\n`;
  if (pem.includes('PRIVATE KEY')) return { problem: 'must be the public key, not the private one. Keep the private key with the issuer.' };
  if (!/^-----BEGIN (RSA )?PUBLIC KEY-----\n/.test(pem)) {
    return { problem: 'must be PEM text that begins with -----BEGIN PUBLIC KEY-----, not the path of a file.' };
  }
  const key = parse(pem);
  if (key === null) return { problem: 'cannot be read as a PEM public key. Copy it whole; \\n may stand for a line break.' };
  return isStrong(key)
    ? { value: pem }
    : { problem: `must be an RSA key of at least ${RSA_BITS_MIN} bits, an EC key on P-256 or an Ed25519 key.` };
}

function parse(pem: string): KeyObject | null {
  try {
    return createPublicKey(pem);
  } catch {
    return null;
  }
}

function isStrong(key: KeyObject): boolean {
  const details = key.asymmetricKeyDetails ?? {};
  if (key.asymmetricKeyType === 'rsa') return (details.modulusLength ?? 0) >= RSA_BITS_MIN;
  if (key.asymmetricKeyType === 'ed25519') return true;
  return key.asymmetricKeyType === 'ec' && details.namedCurve === 'prime256v1';
}

/**
 * The one key tokens are verified with, made once at boot as a key object: a string secret would be parsed as a public key
 * at every call (50 times slower). The algorithm follows from the kind of key and is never read from a token.
 */
import { createPublicKey, createSecretKey, type KeyObject } from 'node:crypto';
import { InvalidConfiguration } from '@app/errors';
import { embeddedSecret } from './embedded-secret.js';

export type TokenAlgorithm = 'HS256' | 'RS256' | 'ES256';

/** What is read of the configuration. */
export interface AuthSettings {
  readonly authJwtSecret: string | null;
  readonly authJwtPublicKey: string | null;
  readonly authIssuer: string | null;
  readonly authAudience: string | null;
  readonly embedded: boolean;
  readonly databaseUrl: string;
}

const SECRET_MIN_BYTES = 32;
const RSA_MIN_BITS = 2_048;

export class SigningKey {
  constructor(
    readonly algorithm: TokenAlgorithm,
    readonly verificationKey: KeyObject,
    readonly issuer: string | null = null,
    readonly audience: string | null = null,
  ) {}

  /** Whether this process could sign tokens: only where it holds the shared secret. */
  get canSign(): boolean {
    return this.algorithm === 'HS256';
  }

  /**
   * The key the configuration names; in embedded mode without one, a secret made once and kept beside the database file.
   * @throws InvalidConfiguration where the key is missing, weak, or of a kind that is not supported
   */
  static async resolve(settings: AuthSettings): Promise<SigningKey> {
    const { authJwtSecret: secret, authJwtPublicKey: publicKey, authIssuer: issuer, authAudience: audience } = settings;
    if (secret !== null && publicKey !== null) {
      throw new InvalidConfiguration(['Set AUTH_JWT_SECRET or AUTH_JWT_PUBLIC_KEY, not both.']);
    }
    if (publicKey !== null) {
      const key = readPublicKey(publicKey);
      return new SigningKey(algorithmOf(key), key, issuer, audience);
    }
    if (secret !== null) {
      return new SigningKey('HS256', readSecret(secret), issuer, audience);
    }
    if (!settings.embedded) {
      throw new InvalidConfiguration(['Set AUTH_JWT_SECRET (HS256) or AUTH_JWT_PUBLIC_KEY (RS256 or ES256).']);
    }
    return new SigningKey('HS256', createSecretKey(await embeddedSecret(settings.databaseUrl)), issuer, audience);
  }
}

function readSecret(text: string): KeyObject {
  const bytes = Buffer.from(text, 'utf8');
  if (bytes.length < SECRET_MIN_BYTES) {
    throw new InvalidConfiguration([`AUTH_JWT_SECRET must have at least ${SECRET_MIN_BYTES} bytes.`]);
  }
  return createSecretKey(bytes);
}

function readPublicKey(text: string): KeyObject {
  if (text.includes('PRIVATE KEY')) {
    throw new InvalidConfiguration(['AUTH_JWT_PUBLIC_KEY holds a private key. Give the public key only.']);
  }
  try {
    return createPublicKey(text.replaceAll('\\n', '\n'));
  } catch {
    throw new InvalidConfiguration(['AUTH_JWT_PUBLIC_KEY is not a public key in PEM form.']);
  }
}

function algorithmOf(key: KeyObject): TokenAlgorithm {
  const { modulusLength = 0, namedCurve } = key.asymmetricKeyDetails ?? {};
  if (key.asymmetricKeyType === 'rsa' && modulusLength >= RSA_MIN_BITS) {
    return 'RS256';
  }
  if (key.asymmetricKeyType === 'ec' && namedCurve === 'prime256v1') {
    return 'ES256';
  }
  throw new InvalidConfiguration([`AUTH_JWT_PUBLIC_KEY must be an RSA key of at least ${RSA_MIN_BITS} bits or an EC key on P-256.`]);
}

/**
 * The one key of an installation without a key set, made once at boot as a key object: a string secret would be parsed as a
 * public key at every call (50 times slower). It verifies whatever `kid` a token names, and only its own algorithm.
 */
import { createPublicKey, createSecretKey, type KeyObject } from 'node:crypto';
import type { Config } from '@app/config';
import { InvalidConfiguration } from '@app/errors';
import { InvalidToken } from './auth-errors.js';
import { claimRulesOf, type ClaimRules, type ClaimSettings } from './claim-rules.js';
import { embeddedSecret } from './embedded-secret.js';
import { algorithmOf, TokenKeys, type TokenAlgorithm, type VerificationKey } from './token-keys.js';

/** What is read of the configuration. */
export type AuthSettings = ClaimSettings & Pick<Config, 'authJwtSecret' | 'authJwtPublicKey' | 'authJwksUrl' | 'embedded' | 'databaseUrl'>;

const SECRET_MIN_BYTES = 32;

export class SigningKey extends TokenKeys {
  private readonly own: VerificationKey;

  constructor(
    readonly algorithm: TokenAlgorithm,
    readonly verificationKey: KeyObject,
    readonly rules: ClaimRules,
  ) {
    super();
    this.own = { algorithm, key: verificationKey };
  }

  /** Whether this process could sign tokens: only where it holds the shared secret. */
  get canSign(): boolean {
    return this.algorithm === 'HS256';
  }

  /** @throws InvalidToken where the token names another algorithm */
  find(_keyId: string | null, algorithm: string): Promise<VerificationKey> {
    return algorithm === this.algorithm ? Promise.resolve(this.own) : Promise.reject(new InvalidToken('not the algorithm of the key'));
  }

  holds(): boolean {
    return true;
  }

  /**
   * The key the configuration names; in embedded mode without one, a secret made once and kept beside the database file.
   * @throws InvalidConfiguration where the key is missing, weak, of a kind that is not supported, or held elsewhere
   */
  static async resolve(settings: AuthSettings): Promise<SigningKey> {
    const { authJwtSecret: secret, authJwtPublicKey: publicKey } = settings;
    const rules = claimRulesOf(settings);
    if (settings.authJwksUrl !== null) {
      throw new InvalidConfiguration(['Tokens are signed elsewhere: AUTH_JWKS_URL names the key set of their issuer. Get one there.']);
    }
    if (secret !== null && publicKey !== null) {
      throw new InvalidConfiguration(['Set AUTH_JWT_SECRET or AUTH_JWT_PUBLIC_KEY, not both.']);
    }
    if (publicKey !== null) {
      const key = readPublicKey(publicKey);
      return new SigningKey(strongAlgorithmOf(key), key, rules);
    }
    if (secret !== null) {
      return new SigningKey('HS256', readSecret(secret), rules);
    }
    if (!settings.embedded) {
      throw new InvalidConfiguration(['Set AUTH_JWT_SECRET (HS256), AUTH_JWT_PUBLIC_KEY (RS256, ES256 or EdDSA) or AUTH_JWKS_URL.']);
    }
    return new SigningKey('HS256', createSecretKey(await embeddedSecret(settings.databaseUrl)), rules);
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

function strongAlgorithmOf(key: KeyObject): TokenAlgorithm {
  const algorithm = algorithmOf(key);
  if (algorithm === null) {
    throw new InvalidConfiguration(['AUTH_JWT_PUBLIC_KEY must be an RSA key of at least 2048 bits, an EC key on P-256 or an Ed25519 key.']);
  }
  return algorithm;
}

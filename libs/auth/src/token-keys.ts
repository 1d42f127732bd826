/**
 * Where the keys come from that tokens are verified with. Every key has one algorithm, which follows from its kind; what a token
 * says of its algorithm is compared with that and chooses nothing.
 */
import type { KeyObject } from 'node:crypto';

export type TokenAlgorithm = 'HS256' | 'RS256' | 'ES256' | 'EdDSA';

export interface VerificationKey {
  readonly algorithm: TokenAlgorithm;
  readonly key: KeyObject;
}

const RSA_MIN_BITS = 2_048;

export abstract class TokenKeys {
  /**
   * The key for a token with this `kid` (null where it has none) and this `alg`.
   * @throws InvalidToken where there is none, Unavailable where that cannot be known
   */
  abstract find(keyId: string | null, algorithm: string): Promise<VerificationKey>;

  /**
   * Whether a key that was found earlier may still be relied upon.
   * @throws Unavailable where that cannot be known
   */
  abstract holds(key: VerificationKey): boolean;
}

/** The algorithm of a public key; null for one that is weak or of a kind that is not supported. */
export function algorithmOf(key: KeyObject): TokenAlgorithm | null {
  const { modulusLength = 0, namedCurve } = key.asymmetricKeyDetails ?? {};
  switch (key.asymmetricKeyType) {
    case 'rsa':
      return modulusLength >= RSA_MIN_BITS ? 'RS256' : null;
    case 'ec':
      return namedCurve === 'prime256v1' ? 'ES256' : null;
    case 'ed25519':
      return 'EdDSA';
    default:
      return null;
  }
}

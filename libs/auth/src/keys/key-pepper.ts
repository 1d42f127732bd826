/**
 * The secret that API keys are hashed with, which the database does not hold: who has read the table can neither use a key nor try
 * guesses. An embedded start without one takes it from the secret that its tokens are signed with; everywhere else it is
 * configured, alike on every api, or there are no keys.
 */
import { createHmac, createSecretKey, hkdfSync, type KeyObject } from 'node:crypto';
import { SigningKey } from '../signing-key.js';
import type { TokenKeys } from '../token-keys.js';
import { KeysSwitchedOff } from './key-errors.js';

const PURPOSE = 'task-runner-x api keys';
const BYTES = 32;

export class KeyPepper {
  private constructor(private readonly key: KeyObject | null) {}

  static resolve(
    { authKeyPepper, embedded }: { readonly authKeyPepper: string | null; readonly embedded: boolean },
    tokenKeys: TokenKeys,
  ): KeyPepper {
    if (authKeyPepper !== null) {
      return new KeyPepper(createSecretKey(authKeyPepper, 'utf8'));
    }
    if (!embedded || !(tokenKeys instanceof SigningKey) || !tokenKeys.canSign) {
      return new KeyPepper(null);
    }
    return new KeyPepper(createSecretKey(Buffer.from(hkdfSync('sha256', tokenKeys.verificationKey, '', PURPOSE, BYTES))));
  }

  /** HMAC-SHA-256, 32 bytes. @throws KeysSwitchedOff where there is no pepper */
  hash(proof: string): Buffer {
    if (this.key === null) {
      throw new KeysSwitchedOff();
    }
    return createHmac('sha256', this.key).update(proof).digest();
  }

  get isSet(): boolean {
    return this.key !== null;
  }
}

/**
 * Verifies API keys. The form and the checksum are looked at first and cost nobody a statement; then the row of the id; then the
 * hash of what was sent is compared, in constant time, with both hashes of the row. Where there is no such row the same is done with
 * a hash that nothing has, so that how long an answer takes does not tell whether an id exists. Whether the key is revoked or over
 * is asked only after it is proved, so only its holder learns that.
 *
 * What is remembered of a key may be older than its last rotation. So where nothing fits, the row is read again, unless it was read
 * a moment ago: a new secret is good everywhere at once, and guessing costs a few statements a second for each key at most.
 */
import { timingSafeEqual } from 'node:crypto';
import { idText } from '@app/database';
import { TokenExpired } from '../auth-errors.js';
import type { Principal } from '../principal.js';
import { scopesGrantedBy } from '../scopes.js';
import type { KeyRow } from './key-entities.js';
import { InvalidKey } from './key-errors.js';
import type { KeyPepper } from './key-pepper.js';
import type { KeyFound, KeyRows } from './key-rows.js';
import type { KeyText } from './key-text.js';
import type { KeyUses } from './key-uses.js';

const HASH_OF_NOTHING = Buffer.alloc(32);
const CREDENTIAL = 'key:';
const SECOND_LOOK_MS = 250;

export class KeyVerification {
  constructor(
    private readonly pepper: KeyPepper,
    private readonly rows: Pick<KeyRows, 'find' | 'remembers'>,
    private readonly uses: Pick<KeyUses, 'note'>,
  ) {}

  /** Whether looking at it costs no statement. Null is what has the form of no key. */
  remembers(text: KeyText | null): boolean {
    return text === null || this.rows.remembers(text.id);
  }

  /** Who holds the key. @throws InvalidKey; TokenExpired; Unavailable where the database is away */
  async verify(text: KeyText | null): Promise<Principal> {
    if (text === null) {
      throw new InvalidKey('the form or the checksum is wrong', null);
    }
    const keyId = idText(text.id);
    if (!this.pepper.isSet) {
      throw new InvalidKey('none are accepted, because AUTH_KEY_PEPPER is not set', keyId);
    }
    const given = this.pepper.hash(text.proof);
    const first = compared(given, await this.rows.find(text.id));
    const { row, now, isCurrent, isPrevious } =
      first.isCurrent || first.isPrevious ? first : compared(given, await this.rows.find(text.id, SECOND_LOOK_MS));
    if (row === null || !(isCurrent || isPrevious)) {
      throw new InvalidKey(row === null ? 'there is none of this id' : 'the secret is wrong', keyId);
    }
    if (row.revoked_at > 0) {
      throw new InvalidKey('it is revoked', keyId);
    }
    if (!isCurrent && row.previous_until <= now) {
      throw new InvalidKey('it is the secret before the last rotation, whose time is over', keyId);
    }
    if (row.expires_at <= now) {
      throw new TokenExpired();
    }
    this.uses.note(row.id);
    return principalOfKey(row);
  }
}

interface Comparison extends KeyFound {
  readonly isCurrent: boolean;
  readonly isPrevious: boolean;
}

function compared(given: Buffer, found: KeyFound): Comparison {
  const isCurrent = timingSafeEqual(given, found.row?.secret_hash ?? HASH_OF_NOTHING);
  const isPrevious = timingSafeEqual(given, found.row?.previous_hash ?? HASH_OF_NOTHING);
  return { ...found, isCurrent, isPrevious };
}

/** The id of the key that a caller has shown; null where it has shown a token. */
export function keyIdOf({ credential }: Principal): string | null {
  return credential.startsWith(CREDENTIAL) ? credential.slice(CREDENTIAL.length) : null;
}

function principalOfKey({ id, tenant, scopes }: KeyRow): Principal {
  const credential = CREDENTIAL + idText(id);
  return { subject: credential, tenant, scopes: new Set(scopes.split(' ').flatMap(scopesGrantedBy)), credential, tokenId: null };
}

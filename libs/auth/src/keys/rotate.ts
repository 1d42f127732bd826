/**
 * Gives a key a new secret. The old one stays good for as long as the caller says, so that holders can change over one by one, and
 * not beyond the end of the key, which a rotation does not move. Only the last secret is kept beside the new one: rotating twice
 * ends the first at once.
 *
 * The new secret is as good as the key, so it goes only to a caller that has all of its scopes; and a key rotates only itself and what
 * it made, or revoking a stolen one would not end what the thief took with it.
 */
import { randomBytes } from 'node:crypto';
import { recordAudit } from '@app/audit';
import { type Database, idText, type RowIds, sql } from '@app/database';
import { InvalidRequest, InvalidState, NotFound } from '@app/errors';
import { scopesGrantedBy } from '../scopes.js';
import { type ApiKeys, stateOf } from './api-keys.js';
import { ScopeEscalation } from './key-errors.js';
import type { KeyPepper } from './key-pepper.js';
import type { KeyRows } from './key-rows.js';
import { writeKey } from './key-text.js';
import { assertWithinRights, familyOf, type HeldKey, type KeyActor, shownKey, takeTurn, type Turn } from './key-turn.js';
import type { SecretKey } from './make.js';

const SECRET_BYTES = 32;

export class KeyRotator {
  constructor(
    private readonly database: Database,
    private readonly ids: RowIds,
    private readonly pepper: KeyPepper,
    private readonly keys: ApiKeys,
    private readonly rows: Pick<KeyRows, 'forget'>,
    /** In ms. */
    private readonly overlapMaxMs: number,
    private readonly random: (bytes: number) => Buffer = randomBytes,
  ) {}

  /**
   * `overlapMs`: how long the old secret stays good; 0 ends it now.
   * @throws KeysSwitchedOff, NotFound, InvalidState for a key that has ended, ScopeEscalation, InvalidRequest, InvalidKey
   */
  async rotate(actor: KeyActor, id: string, overlapMs: number): Promise<SecretKey> {
    this.assertOverlap(overlapMs);
    const { tenant, subject, credential } = actor.principal;
    const secret = this.random(SECRET_BYTES);
    const { dialect } = this.database;
    const { text, held } = await this.database.transaction(async (transaction) => {
      const turn = await takeTurn(transaction, dialect, actor.principal);
      const held = turn.keys.find((key) => idText(key.id) === id);
      if (held === undefined) throw new NotFound('key');
      assertMay(actor, turn, held);
      const { text, proof } = writeKey(held.id, secret);
      const previousUntil = Math.min(turn.now + overlapMs, held.expires_at);
      const detail = { name: held.name, previousUntil, credential, address: actor.address };
      await transaction.commitWith([
        sql`UPDATE api_keys SET previous_hash = ${held.secret_hash}, previous_until = ${previousUntil}, secret_hash = ${this.pepper.hash(proof)}, rotated_at = ${turn.now} WHERE id = ${held.id} AND tenant = ${tenant}`,
        recordAudit(dialect, this.ids.next(), { tenant, actor: subject, action: 'key.rotate', target: id, reason: actor.reason, detail }),
      ]);
      return { text, held };
    });
    this.rows.forget([held.id]);
    return { key: await this.keys.get(tenant, id), text };
  }

  private assertOverlap(overlapMs: number): void {
    if (overlapMs > this.overlapMaxMs) {
      throw new InvalidRequest('validation-failed', 'The old secret would stay good for too long; "errors" says what may be.', [
        { pointer: '/overlapMs', code: 'out-of-range', message: `must be a whole number from 0 to ${this.overlapMaxMs}` },
      ]);
    }
  }
}

function assertMay({ principal }: KeyActor, turn: Turn, held: HeldKey): void {
  const own = shownKey(turn, principal);
  if (own !== null && !familyOf(turn, own).includes(held)) {
    throw new ScopeEscalation('A key rotates only itself and the keys that it made. Use a token, or the key that made this one.', []);
  }
  assertWithinRights(principal, held.scopes.split(' ').flatMap(scopesGrantedBy));
  const state = stateOf(held, turn.now);
  if (state !== 'active') {
    throw new InvalidState(`The key is ${state}; only an active one can be rotated. Make another.`);
  }
}

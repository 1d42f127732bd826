/**
 * Ends keys before their time, for good, and with a key all that it made: whoever has stolen one that may make keys has made another
 * by the time it is found out. On this process the end is at once, on every other when what it remembers of the key is over.
 */
import { recordAudit } from '@app/audit';
import { type Database, idText, list, type RowIds, sql } from '@app/database';
import { NotFound } from '@app/errors';
import type { ApiKeys, KeyView } from './api-keys.js';
import type { KeyRows } from './key-rows.js';
import { familyOf, type KeyActor, takeTurn } from './key-turn.js';

export class KeyRevoker {
  constructor(
    private readonly database: Database,
    private readonly ids: RowIds,
    private readonly keys: ApiKeys,
    private readonly rows: Pick<KeyRows, 'forget'>,
  ) {}

  /** Revoking again changes nothing. @throws NotFound, InvalidKey */
  async revoke(actor: KeyActor, id: string): Promise<KeyView> {
    const { tenant, subject, credential } = actor.principal;
    const { dialect } = this.database;
    const revoked = await this.database.transaction(async (transaction) => {
      const turn = await takeTurn(transaction, dialect, actor.principal);
      const head = turn.keys.find((key) => idText(key.id) === id);
      if (head === undefined) throw new NotFound('key');
      const family = familyOf(turn, head).filter((key) => key.revoked_at === 0);
      if (family.length === 0) return [];
      const detail = { credential, address: actor.address, with: id };
      const entry = { tenant, actor: subject, action: 'key.revoke', reason: actor.reason };
      await transaction.commitWith([
        sql`UPDATE api_keys SET revoked_at = ${turn.now} WHERE id IN (${list(family.map((key) => key.id))}) AND tenant = ${tenant}`,
        ...family.map((key) =>
          recordAudit(dialect, this.ids.next(), { ...entry, target: idText(key.id), detail: { name: key.name, ...detail } }),
        ),
      ]);
      return family;
    });
    this.rows.forget(revoked.map((key) => key.id));
    return this.keys.get(tenant, id);
  }
}

/**
 * Writes down when keys were last used: behind the calls and never in their way, for each key once a minute at most however many
 * processes see it, and not at all for what does not fit into a bounded memory. It tells an operator which keys nobody needs; it
 * is no record of every call.
 */
import { type Database, list, sql } from '@app/database';

const EVERY_MS = 60_000;
const NOTED_MAX = 10_000;
const PAGE = 500;

export class KeyUses {
  private noted = new Map<string, Buffer>();

  constructor(private readonly database: Database) {}

  note(id: Buffer): void {
    if (this.noted.size < NOTED_MAX) {
      this.noted.set(id.toString('hex'), id);
    }
  }

  /** What was noted since the last time. What cannot be written is lost: the next use notes it again. @throws Unavailable */
  async write(): Promise<void> {
    // In key order, as everybody who changes several rows.
    const ids = [...this.noted].sort(([a], [b]) => (a < b ? -1 : 1)).map(([, id]) => id);
    this.noted = new Map();
    const { now } = this.database.dialect;
    for (let from = 0; from < ids.length; from += PAGE) {
      await this.database.execute(
        sql`UPDATE api_keys SET last_used_at = ${now} WHERE id IN (${list(ids.slice(from, from + PAGE))}) AND last_used_at < ${now} - ${EVERY_MS}`,
      );
    }
  }

  get waiting(): number {
    return this.noted.size;
  }
}

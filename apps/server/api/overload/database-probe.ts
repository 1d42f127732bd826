/**
 * Whether the database is known to be away: it was asked the least there is, twice in a row, and did not answer. One answer ends it.
 * A question that is still open is not asked again, so an outage costs one connection at most.
 */
import { sql, type Database } from '@app/database';
import { within } from '@app/lifecycle';

const ANSWER_MS = 2_000;
const AWAY_AFTER = 2;
const QUESTION = sql`SELECT 1 AS here`;

export class DatabaseProbe {
  private inVain = 0;
  private open: Promise<unknown> | null = null;

  constructor(private readonly database: Database) {}

  get isAway(): boolean {
    return this.inVain >= AWAY_AFTER;
  }

  /** Asks once. Does not reject. */
  async ask(): Promise<void> {
    this.open ??= this.database.query(QUESTION).finally(() => {
      this.open = null;
    });
    try {
      await within(this.open, ANSWER_MS, 'the database');
      this.inVain = 0;
    } catch {
      this.inVain += 1;
    }
  }
}

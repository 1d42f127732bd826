/**
 * Reads keys by their id, and remembers what it read for a few seconds, so that a busy client costs no statement per call and a
 * revocation is known everywhere that much later at most. An id that nobody has is remembered apart from those that exist, so
 * that guessing ids cannot push real keys out. Calls that ask for one id at the same time share one statement. While the database is
 * away, what is remembered is good until its time is over; then callers are told so, and never let in.
 *
 * The age of a key is told by the database's clock: by its time at the reading, and what has passed here since.
 */
import { type Database, sql } from '@app/database';
import type { Clock } from '@app/lifecycle';
import type { KeyRow } from './key-entities.js';

const KNOWN_MAX = 10_000;
const UNKNOWN_MAX = 1_000;
const COLUMNS = sql`id, tenant, name, scopes, secret_hash, previous_hash, previous_until, made_by, created_by, created_at, expires_at, rotated_at, revoked_at, last_used_at`;

/** What was found under an id, and the database's time now, in ms since the epoch. */
export interface KeyFound {
  readonly row: KeyRow | null;
  readonly now: number;
}

interface Memory {
  readonly row: KeyRow | null;
  readonly databaseNow: number;
  /** Monotonic, before the statement was sent: what was changed after it counts as not seen. */
  readonly readAt: number;
}

export class KeyRows {
  private readonly known = new Map<string, Memory>();
  private readonly unknown = new Map<string, Memory>();
  private readonly reading = new Map<string, Promise<Memory>>();

  constructor(
    private readonly database: Database,
    private readonly clock: Clock,
    /** How long a reading is good for, in ms. */
    private readonly keptMs: number,
  ) {}

  /**
   * `freshMs`: how old what is remembered may be, if not as old as ever.
   * @throws Unavailable where it would have to ask and the database does not answer
   */
  async find(id: Buffer, freshMs = this.keptMs): Promise<KeyFound> {
    const key = id.toString('hex');
    const memory = this.known.get(key) ?? this.unknown.get(key);
    const fresh =
      memory !== undefined && this.clock.monotonic() - memory.readAt < Math.min(freshMs, this.keptMs) ? memory : await this.read(key, id);
    return { row: fresh.row, now: fresh.databaseNow + (this.clock.monotonic() - fresh.readAt) };
  }

  /** Whether there is a key of this id that `find` need not ask for. */
  remembers(id: Buffer): boolean {
    const memory = this.known.get(id.toString('hex'));
    return memory !== undefined && this.clock.monotonic() - memory.readAt < this.keptMs;
  }

  /** For keys that this process has changed itself. */
  forget(ids: readonly Buffer[]): void {
    for (const id of ids) {
      const key = id.toString('hex');
      this.known.delete(key);
      this.reading.delete(key);
    }
  }

  get size(): number {
    return this.known.size + this.unknown.size;
  }

  private read(key: string, id: Buffer): Promise<Memory> {
    const underWay = this.reading.get(key);
    if (underWay !== undefined) {
      return underWay;
    }
    const reading = this.ask(id)
      .then((memory) => {
        // Forgotten meanwhile: it may be older than the change it was forgotten for.
        if (this.reading.get(key) === reading) this.remember(key, memory);
        return memory;
      })
      .finally(() => {
        if (this.reading.get(key) === reading) this.reading.delete(key);
      });
    this.reading.set(key, reading);
    return reading;
  }

  private async ask(id: Buffer): Promise<Memory> {
    const readAt = this.clock.monotonic();
    const { now, byPrimary } = this.database.dialect;
    // The time comes with or without a key, so that both ways are one statement of the same kind.
    const [found] = await this.database.query<Omit<KeyRow, 'id'> & { id: Buffer | null; now: number }>(
      sql`SELECT n.now, ${COLUMNS} FROM (SELECT ${now} AS now) n LEFT JOIN api_keys${byPrimary} ON id = ${id}`,
    );
    const keyId = found?.id ?? null;
    const row = found === undefined || keyId === null ? null : { ...found, id: keyId };
    return { row, databaseNow: Number(found?.now), readAt };
  }

  private remember(key: string, memory: Memory): void {
    const [kept, max, other] = memory.row === null ? [this.unknown, UNKNOWN_MAX, this.known] : [this.known, KNOWN_MAX, this.unknown];
    other.delete(key);
    kept.delete(key);
    for (const oldest of kept.keys()) {
      if (kept.size < max) break;
      kept.delete(oldest);
    }
    kept.set(key, memory);
  }
}

/**
 * The rates that hold for the whole installation: one row per scope, moved on by one conditional UPDATE on the database's clock, so
 * that replicas cannot take the same allowance twice and a restart forgets nothing. A row whose tat has passed says nothing that a
 * missing row would not, and is pruned.
 *
 * A tat further ahead than the span can only come from a clock that was set back, or from a limit that was lowered. It is not only
 * read as the end of the span but written back as such: otherwise it would stay out of reach for as long as the clock had jumped.
 */
import { list, rows, sql, type Database, type Outcome, type Sql } from '@app/database';

/** What is counted: 32 bytes that say nothing of whom, and the same as a key of a map. */
export interface Scope {
  readonly bytes: Buffer;
  readonly key: string;
}

/** What somebody asks for one scope, in µs of tat. */
export interface Want {
  readonly scope: Scope;
  /** What is taken while there is plenty: while four times as much is left. */
  readonly wantUs: number;
  /** What is taken otherwise. At most `wantUs` and the span. */
  readonly needUs: number;
  /** What one request needs; where there is not enough for all, as many times this as are left. */
  readonly unitUs: number;
  readonly spanUs: number;
}

export interface Taken {
  /** 0 to `wantUs`. */
  readonly takenUs: number;
  /** What is left of the span after that. */
  readonly spareUs: number;
}

/** Where rates are kept. */
export abstract class RateStore {
  /** In one transaction, one answer per want in their order; every scope at most once. @throws Unavailable */
  abstract take(wants: readonly Want[]): Promise<Taken[]>;
  /** Deletes what has passed among the next page of rows behind `cursor`; returns the next cursor, null at the end. */
  abstract prune(cursor: Buffer | null): Promise<{ deleted: number; cursor: Buffer | null }>;
}

const PAGE = 500;
const PLENTY = 4;
const START = Buffer.alloc(32);

interface StateRow {
  scope: Buffer;
  tat: number;
  taken: number;
  now: number;
}

export class StoredRates extends RateStore {
  constructor(private readonly database: Database) {
    super();
  }

  async take(wants: readonly Want[]): Promise<Taken[]> {
    // In key order, so that two processes that want the same rows wait for each other and not in a ring.
    const ordered = [...wants].sort((one, other) => Buffer.compare(one.scope.bytes, other.scope.bytes));
    const found = await this.move(ordered, []);
    const missing = ordered.filter(({ scope }) => !found.has(scope.key));
    if (missing.length > 0) {
      for (const [key, taken] of await this.move(missing, [this.create(missing)])) found.set(key, taken);
    }
    return wants.map(({ scope, spanUs }) => found.get(scope.key) ?? { takenUs: 0, spareUs: spanUs });
  }

  async prune(cursor: Buffer | null): Promise<{ deleted: number; cursor: Buffer | null }> {
    const now = sql`${this.database.dialect.now} * 1000`;
    const page = await this.database.query<StateRow>(
      sql`SELECT scope, tat, ${now} AS now FROM rate_states WHERE scope > ${cursor ?? START} ORDER BY scope LIMIT ${PAGE}`,
    );
    const past = page.filter((row) => Number(row.tat) < Number(row.now)).map(({ scope }) => scope);
    const deleted =
      past.length === 0 ? 0 : await this.database.execute(sql`DELETE FROM rate_states WHERE scope IN (${list(past)}) AND tat < ${now}`);
    return { deleted, cursor: page.length < PAGE ? null : (page.at(-1)?.scope ?? null) };
  }

  /** Moves the rows that are there, in one round trip. */
  private async move(wants: readonly Want[], before: readonly Sql[]): Promise<Map<string, Taken>> {
    const { fixNow, fixedNow } = this.database.dialect;
    const first = [...fixNow, ...before];
    const scopes = list(wants.map(({ scope }) => scope.bytes));
    const read = sql`SELECT scope, tat, taken, ${fixedNow} * 1000 AS now FROM rate_states WHERE scope IN (${scopes})`;
    const outcomes = await this.database.batch([...first, ...wants.map((want) => this.update(want)), read]);
    const states = new Map((outcomes.at(-1)?.rows as unknown as StateRow[]).map((row) => [row.scope.toString('latin1'), row]));
    return new Map(
      wants.flatMap((want, index) => {
        const state = states.get(want.scope.key);
        return state === undefined ? [] : [[want.scope.key, takenOf(want, state, outcomes[first.length + index])] as const];
      }),
    );
  }

  private create(wants: readonly Want[]): Sql {
    const empty = wants.map(({ scope }) => [scope.bytes, 0, 0]);
    return sql`INSERT INTO rate_states (scope, tat, taken) VALUES ${rows(empty)}${this.database.dialect.keepExisting(['scope'])}`;
  }

  /** `tat` is assigned last: MySQL lets an assignment see the ones before it. A refusal writes nothing. */
  private update({ scope, wantUs, needUs, unitUs, spanUs }: Want): Sql {
    const now = sql`${this.database.dialect.fixedNow} * 1000`;
    const end = sql`${now} + ${spanUs}`;
    const left = (us: number): Sql => sql`tat <= ${now} + ${spanUs - us}`;
    const begun = sql`CASE WHEN tat < ${now} THEN ${now} ELSE tat END`;
    const plenty = left(PLENTY * wantUs);
    const odd = sql`(${end} - tat) % ${unitUs}`;
    return sql`UPDATE rate_states SET
      taken = CASE WHEN ${plenty} THEN ${wantUs} WHEN ${left(needUs)} THEN ${needUs} WHEN ${left(unitUs)} THEN ${end} - tat - ${odd} ELSE 0 END,
      tat = CASE WHEN ${plenty} THEN ${begun} + ${wantUs} WHEN ${left(needUs)} THEN ${begun} + ${needUs} WHEN ${left(unitUs)} THEN ${end} - ${odd} ELSE ${end} END
      WHERE scope = ${scope.bytes} AND (${left(unitUs)} OR tat > ${end})`;
  }
}

/** `taken` in the row is this statement's only where it matched. */
function takenOf({ spanUs }: Want, { tat, taken, now }: StateRow, moved: Outcome | undefined): Taken {
  return {
    takenUs: moved?.affected === 1 ? Number(taken) : 0,
    spareUs: Math.min(spanUs, Math.max(0, Number(now) + spanUs - Number(tat))),
  };
}

/**
 * The port on the embedded SQLite file. There is one connection and it answers synchronously, so the only thing that could go
 * wrong is that somebody else's statement slips into an open transaction between two of its awaits: everything therefore
 * passes one bounded queue, and a transaction holds it until its end.
 */
import type { DataSource, EntityManager } from 'typeorm';
import { Unavailable } from '@app/errors';
import { Turns, type Clock } from '@app/lifecycle';
import { Database, type Outcome, type Row, type Transaction } from './database.js';
import { dialectOf, type Dialect } from './dialect.js';
import { describe, driverErrorOf } from './failures.js';
import type { Sql } from './sql.js';
import type { SqliteHandle } from './sqlite-handle.js';
import { Waiters } from './waiters.js';

const WAITING_MAX = 10_000;

export class SqliteDatabase extends Database {
  readonly dialect: Dialect = dialectOf('sqlite');
  private readonly turns = new Turns();
  waiting = 0;
  private readonly waiters: Waiters;
  private closed = false;

  constructor(
    private readonly handle: SqliteHandle,
    private readonly dataSource: DataSource,
    clock: Clock,
  ) {
    super();
    this.waiters = new Waiters(clock);
  }

  get longestWaitMs(): number {
    return this.waiters.longestMs;
  }

  async query<T extends object = Row>(statement: Sql): Promise<T[]> {
    return this.alone(() => this.one(statement).rows as T[]);
  }

  async execute(statement: Sql): Promise<number> {
    return this.alone(() => this.one(statement).affected);
  }

  async batch(statements: readonly Sql[]): Promise<Outcome[]> {
    return this.alone(() => this.inTransaction(() => statements.map((statement) => this.one(statement))));
  }

  async transaction<T>(work: (transaction: Transaction) => Promise<T>): Promise<T> {
    return this.alone(async () => {
      this.handle.exec('BEGIN IMMEDIATE');
      let committed = false;
      const run = (statements: readonly Sql[]): Promise<Outcome[]> =>
        Promise.resolve().then(() => statements.map((statement) => this.one(statement)));
      try {
        const result = await work({
          query: async <R extends object = Row>(statement: Sql) => ((await run([statement]))[0]?.rows ?? []) as R[],
          execute: async (statement) => (await run([statement]))[0]?.affected ?? 0,
          run,
          commitWith: async (statements) => {
            const outcomes = await run(statements);
            this.handle.exec('COMMIT');
            committed = true;
            return outcomes;
          },
        });
        if (!committed) this.handle.exec('COMMIT');
        return result;
      } catch (error) {
        if (!committed) this.handle.rollback();
        throw error;
      }
    });
  }

  async entities<T>(work: (manager: EntityManager) => Promise<T>): Promise<T> {
    return this.alone(() => work(this.dataSource.manager));
  }

  async close(): Promise<void> {
    await this.alone(() => {
      this.closed = true;
    });
    if (this.dataSource.isInitialized) await this.dataSource.destroy();
    this.handle.close();
  }

  private one(statement: Sql): Outcome {
    const { rows, affected } = this.handle.run(statement.text, statement.values);
    return { rows, affected };
  }

  private inTransaction<T>(work: () => T): T {
    this.handle.exec('BEGIN IMMEDIATE');
    try {
      const result = work();
      this.handle.exec('COMMIT');
      return result;
    } catch (error) {
      this.handle.rollback();
      throw error;
    }
  }

  /** Runs `work` when everybody before it is done. */
  private async alone<T>(work: () => T | Promise<T>): Promise<T> {
    if (this.closed) throw new Unavailable('The database is closed; this process is stopping.');
    if (this.waiting >= WAITING_MAX) throw new Unavailable('The database is busy. Repeat the request shortly.');
    this.waiting += 1;
    const served = this.waiters.begin();
    try {
      return await this.turns.take(() => {
        served();
        return work();
      });
    } catch (error) {
      throw describe(driverErrorOf(error));
    } finally {
      this.waiting -= 1;
    }
  }
}

/**
 * The port the stores speak to. Three ways to run SQL, chosen by what must hold: a single statement, a `batch` (one
 * transaction in one round trip, for statements that do not depend on each other's results), and an interactive
 * `transaction`. All of them are READ COMMITTED or stronger, retry a deadlock or lock timeout a bounded number of times
 * from the start, and turn a dead connection into a typed error. A connection that dies during COMMIT leaves the outcome
 * unknown; that is its own error, because the caller must look before it repeats.
 */
import type { EntityManager } from 'typeorm';
import type { Dialect } from './dialect.js';
import type { Sql } from './sql.js';

export type Row = Record<string, unknown>;

export interface Outcome {
  rows: Row[];
  /** Rows matched by a write. */
  affected: number;
}

export interface Transaction {
  query<T extends object = Row>(statement: Sql): Promise<T[]>;
  execute(statement: Sql): Promise<number>;
  /** Several statements in one round trip, in order; empty lists are skipped. */
  run(statements: readonly Sql[]): Promise<Outcome[]>;
  /** The last statements and the COMMIT in one round trip. Nothing may follow. */
  commitWith(statements: readonly Sql[]): Promise<Outcome[]>;
}

export abstract class Database {
  abstract readonly dialect: Dialect;
  /** How many callers wait for a connection, or for their turn where there is only one. */
  abstract readonly waiting: number;
  /** For how long the one of them has waited that has waited longest, in ms; 0 where nobody waits. */
  abstract readonly longestWaitMs: number;
  /** One statement by itself. Throws Unavailable when the database does not answer in time. */
  abstract query<T extends object = Row>(statement: Sql): Promise<T[]>;
  abstract execute(statement: Sql): Promise<number>;
  /** One transaction in one round trip. Throws CommitUnknown when the connection died before the answer. */
  abstract batch(statements: readonly Sql[]): Promise<Outcome[]>;
  /** Runs `work` from the start again after a deadlock, at most three times. It must have no effects outside the database. */
  abstract transaction<T>(work: (transaction: Transaction) => Promise<T>): Promise<T>;
  /** TypeORM's view of the same database, for cold paths. On SQLite it waits for a transaction under way. */
  abstract entities<T>(work: (manager: EntityManager) => Promise<T>): Promise<T>;
  abstract close(): Promise<void>;
}

/**
 * The port on MySQL and MariaDB. Statements travel as text (values escaped by the driver): a prepared statement per list
 * length would fill the server's cache, and one round trip may then carry a whole transaction. Every wait is bounded: for a
 * connection from the pool, and for each answer; a connection that misses its deadline is destroyed, because what it would
 * still say can no longer be told apart from the next answer.
 */
import type { Pool, PoolConnection, ResultSetHeader } from 'mysql2';
import type { DataSource, EntityManager } from 'typeorm';
import type { Clock } from '@app/lifecycle';
import { CurrentPool, type Fate } from './current-pool.js';
import { Database, type Outcome, type Row, type Transaction } from './database.js';
import { dialectOf, type Dialect } from './dialect.js';
import { CommitUnknown, describe, driverErrorOf, isCommitFailure, isDisconnect, isReadOnly, isSilence } from './failures.js';
import { secondsOf } from './mysql-pool.js';
import { ask } from './mysql-wait.js';
import { retryTransient } from './retry.js';
import { render } from './render.js';
import { sql, type Sql } from './sql.js';
import { Waiters } from './waiters.js';

export interface MysqlLimits {
  /** How long to wait for a free connection, in ms. */
  acquireMs: number;
  /** How long to wait for an answer, in ms; a little more than the server's own statement limit. */
  answerMs: number;
  /** After how long the server ends a session that says nothing in the middle of a transaction, in ms. */
  idleTransactionMs: number;
}

const BEGIN = sql`START TRANSACTION`;
const COMMIT = sql`COMMIT`;

export class MysqlDatabase extends Database {
  readonly dialect: Dialect;
  /** What a transaction of several round trips begins and ends with: between them the process may stop for ever, holding locks. */
  private readonly begin: readonly Sql[];
  private readonly end: readonly Sql[];
  private readonly pool: CurrentPool;
  private readonly waiters: Waiters;

  constructor(
    pool: Pool,
    private readonly dataSource: DataSource,
    engine: 'mysql' | 'mariadb',
    private readonly limits: MysqlLimits,
    private readonly random: () => number,
    clock: Clock,
  ) {
    super();
    this.waiters = new Waiters(clock);
    this.pool = new CurrentPool(pool, limits.acquireMs, this.waiters);
    this.dialect = dialectOf(engine);
    // MariaDB's sessions have a limit for this; MySQL's only know one for every silence, and a pooled connection is mostly silent.
    const seconds = secondsOf(limits.idleTransactionMs);
    this.begin = engine === 'mariadb' ? [BEGIN] : [sql`SET SESSION wait_timeout = ${seconds}`, BEGIN];
    this.end = engine === 'mariadb' ? [] : [sql`SET SESSION wait_timeout = DEFAULT`];
  }

  get waiting(): number {
    return this.waiters.count;
  }

  get longestWaitMs(): number {
    return this.waiters.longestMs;
  }

  async query<T extends object = Row>(statement: Sql): Promise<T[]> {
    const [outcome] = await retryTransient(() => this.withConnection((connection) => this.send(connection, [statement])), this.random);
    return (outcome?.rows ?? []) as T[];
  }

  async execute(statement: Sql): Promise<number> {
    const [outcome] = await retryTransient(() => this.withConnection((connection) => this.send(connection, [statement])), this.random);
    return outcome?.affected ?? 0;
  }

  async batch(statements: readonly Sql[]): Promise<Outcome[]> {
    return retryTransient(
      () =>
        this.withConnection(async (connection) => {
          try {
            const outcomes = await this.send(connection, [BEGIN, ...statements, COMMIT]);
            return outcomes.slice(1, -1);
          } catch (error) {
            if (isDisconnect(error)) throw new CommitUnknown(error);
            await this.rollback(connection);
            if (isCommitFailure(error)) throw new CommitUnknown(error);
            throw error;
          }
        }),
      this.random,
    );
  }

  async transaction<T>(work: (transaction: Transaction) => Promise<T>): Promise<T> {
    return retryTransient(() => this.withConnection((connection) => this.runTransaction(connection, work)), this.random);
  }

  async entities<T>(work: (manager: EntityManager) => Promise<T>): Promise<T> {
    try {
      return await work(this.dataSource.manager);
    } catch (error) {
      throw describe(driverErrorOf(error));
    }
  }

  async close(): Promise<void> {
    await new Promise<void>((resolve) => {
      this.pool.end(() => {
        resolve();
      });
    });
    if (this.dataSource.isInitialized) await this.dataSource.destroy();
  }

  private async runTransaction<T>(connection: PoolConnection, work: (transaction: Transaction) => Promise<T>): Promise<T> {
    let begun = false;
    let committing = false;
    let committed = false;
    const run = async (statements: readonly Sql[]): Promise<Outcome[]> => {
      if (statements.length === 0) return [];
      const first = !begun;
      begun = true;
      const outcomes = await this.send(connection, first ? [...this.begin, ...statements] : statements);
      return first ? outcomes.slice(this.begin.length) : outcomes;
    };
    const commitWith = async (statements: readonly Sql[]): Promise<Outcome[]> => {
      committing = true;
      const outcomes = await run([...statements, COMMIT, ...this.end]);
      committed = true;
      return outcomes.slice(0, statements.length);
    };
    const transaction: Transaction = {
      query: async <R extends object = Row>(statement: Sql) => ((await run([statement]))[0]?.rows ?? []) as R[],
      execute: async (statement) => (await run([statement]))[0]?.affected ?? 0,
      run,
      commitWith,
    };
    try {
      const result = await work(transaction);
      if (begun && !committed) await commitWith([]);
      return result;
    } catch (error) {
      if (isDisconnect(error)) throw committing ? new CommitUnknown(error) : error;
      if (begun && !committed) await this.rollback(connection);
      if (isCommitFailure(error)) throw new CommitUnknown(error);
      throw error;
    }
  }

  /** Always rolls back explicitly: a lock timeout leaves the transaction open with its first half done. */
  private async rollback(connection: PoolConnection): Promise<void> {
    try {
      await this.send(connection, [sql`ROLLBACK`, ...this.end]);
    } catch {
      connection.destroy();
    }
  }

  private async send(connection: PoolConnection, statements: readonly Sql[]): Promise<Outcome[]> {
    const answer = await ask(connection, render(statements), [], this.limits.answerMs);
    return statements.length === 1 ? [outcomeOf(answer)] : (answer as unknown[]).map(outcomeOf);
  }

  private async withConnection<T>(work: (connection: PoolConnection) => Promise<T>): Promise<T> {
    const connection = await this.pool.take();
    let fate: Fate = 'fit';
    try {
      return await work(connection);
    } catch (error) {
      fate = fateOf(error);
      throw error;
    } finally {
      this.pool.giveBack(connection, fate);
    }
  }
}

/** What an error says of the connection it came by. */
function fateOf(error: unknown): Fate {
  const said = [error, (error as { cause?: unknown } | null)?.cause];
  if (said.some((reason) => isReadOnly(reason) || isSilence(reason))) return 'outdated';
  return said.some(isDisconnect) ? 'dead' : 'fit';
}

function outcomeOf(result: unknown): Outcome {
  if (Array.isArray(result)) return { rows: result as Row[], affected: 0 };
  return { rows: [], affected: (result as ResultSetHeader).affectedRows };
}

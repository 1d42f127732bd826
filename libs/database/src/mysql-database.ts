/**
 * The port on MySQL and MariaDB. Statements travel as text (values escaped by the driver): a prepared statement per list
 * length would fill the server's cache, and one round trip may then carry a whole transaction. Every wait is bounded: for a
 * connection from the pool, and for each answer; a connection that misses its deadline is destroyed, because what it would
 * still say can no longer be told apart from the next answer.
 */
import type { Pool, PoolConnection, ResultSetHeader } from 'mysql2';
import type { DataSource, EntityManager } from 'typeorm';
import { Database, type Outcome, type Row, type Transaction } from './database.js';
import { dialectOf, type Dialect } from './dialect.js';
import { CommitUnknown, describe, driverErrorOf, isDisconnect } from './failures.js';
import { acquire, ask } from './mysql-wait.js';
import { retryTransient } from './retry.js';
import { join, sql, type Sql } from './sql.js';

export interface MysqlLimits {
  /** How long to wait for a free connection, in ms. */
  acquireMs: number;
  /** How long to wait for an answer, in ms; a little more than the server's own statement limit. */
  answerMs: number;
}

const BEGIN = sql`START TRANSACTION`;
const COMMIT = sql`COMMIT`;

export class MysqlDatabase extends Database {
  readonly dialect: Dialect;

  constructor(
    private readonly pool: Pool,
    private readonly dataSource: DataSource,
    engine: 'mysql' | 'mariadb',
    private readonly limits: MysqlLimits,
    private readonly random: () => number,
  ) {
    super();
    this.dialect = dialectOf(engine);
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
      const outcomes = await this.send(connection, first ? [BEGIN, ...statements] : statements);
      return first ? outcomes.slice(1) : outcomes;
    };
    const commitWith = async (statements: readonly Sql[]): Promise<Outcome[]> => {
      committing = true;
      const outcomes = await run([...statements, COMMIT]);
      committed = true;
      return outcomes.slice(0, -1);
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
      throw error;
    }
  }

  /** Always rolls back explicitly: a lock timeout leaves the transaction open with its first half done. */
  private async rollback(connection: PoolConnection): Promise<void> {
    try {
      await this.send(connection, [sql`ROLLBACK`]);
    } catch {
      connection.destroy();
    }
  }

  private async send(connection: PoolConnection, statements: readonly Sql[]): Promise<Outcome[]> {
    const { text, values } = join(statements, ';\n');
    const answer = await ask(connection, text, values, this.limits.answerMs);
    return statements.length === 1 ? [outcomeOf(answer)] : (answer as unknown[]).map(outcomeOf);
  }

  private async withConnection<T>(work: (connection: PoolConnection) => Promise<T>): Promise<T> {
    const connection = await acquire(this.pool, this.limits.acquireMs);
    let broken = false;
    try {
      return await work(connection);
    } catch (error) {
      broken = isDisconnect(error) || isDisconnect((error as { cause?: unknown }).cause);
      throw error;
    } finally {
      if (broken) connection.destroy();
      else connection.release();
    }
  }
}

function outcomeOf(result: unknown): Outcome {
  if (Array.isArray(result)) return { rows: result as Row[], affected: 0 };
  return { rows: [], affected: (result as ResultSetHeader).affectedRows };
}

/**
 * The pool TypeORM works on: the part of the driver's that it uses, with an end to every wait. A connection that leaves a
 * question unanswered, or leads to a server that has become read-only, is destroyed, and with it those that stand idle: what silenced the one has mostly silenced them all, and
 * the next reader would have to find that out on each of them.
 */
import type { Pool, PoolConnection } from 'mysql2';
import { isDisconnect, isReadOnly } from './failures.js';
import type { MysqlLimits } from './mysql-database.js';
import { acquire, ask } from './mysql-wait.js';

type Listener = (...values: unknown[]) => void;

/** A connection as TypeORM sees it, from taking it out of the pool until putting it back. */
export class ColdConnection {
  constructor(
    private readonly connection: PoolConnection,
    private answerMs: number,
    private readonly end: (broken: boolean) => void,
  ) {}

  /** Lets the statements that follow take any time; for a migration. */
  waitWithoutLimit(): void {
    this.answerMs = 0;
  }

  promise(): { query(text: string, values?: readonly unknown[]): Promise<[unknown]> } {
    return { query: async (text, values = []) => [await this.ask(text, values)] };
  }

  listeners(event: string): unknown[] {
    return this.connection.listeners(event);
  }

  on(event: string, listener: Listener): void {
    this.connection.on(event, listener);
  }

  release(): void {
    this.end(false);
  }

  private async ask(text: string, values: readonly unknown[]): Promise<unknown> {
    try {
      return await ask(this.connection, text, values, this.answerMs);
    } catch (error) {
      if (isDisconnect(error) || isReadOnly(error)) this.end(true);
      throw error;
    }
  }
}

export class ColdPool {
  private readonly idle = new Set<PoolConnection>();

  constructor(
    private readonly pool: Pool,
    private readonly limits: MysqlLimits,
  ) {
    pool.on('connection', (connection: PoolConnection) => {
      const forget = (): void => {
        this.idle.delete(connection);
      };
      connection.on('end', forget).on('error', forget);
    });
  }

  getConnection(done: (error: unknown, connection?: ColdConnection) => void): void {
    acquire(this.pool, this.limits.acquireMs).then(
      (connection) => {
        done(null, this.lend(connection));
      },
      (error: unknown) => {
        done(error);
      },
    );
  }

  end(done: (error?: unknown) => void): void {
    this.pool.end(done);
  }

  private lend(connection: PoolConnection): ColdConnection {
    this.idle.delete(connection);
    let isLent = true;
    return new ColdConnection(connection, this.limits.answerMs, (broken) => {
      if (broken) this.destroyIdle();
      if (!isLent) return;
      isLent = false;
      if (broken) connection.destroy();
      else this.takeBack(connection);
    });
  }

  private takeBack(connection: PoolConnection): void {
    this.idle.add(connection);
    connection.release();
  }

  private destroyIdle(): void {
    for (const connection of this.idle) connection.destroy();
    this.idle.clear();
  }
}

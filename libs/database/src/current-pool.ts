/**
 * A pool from which a connection comes only while it leads where it should. A primary that was demoted keeps its connections open
 * and refuses every write on each of them; a firewall that forgot one connection has mostly forgotten them all. Whoever meets such
 * a thing says so once, and no connection opened before that moment is used again: the next ones are opened anew, and the name of
 * the server is looked up again.
 */
import type { Pool, PoolConnection } from 'mysql2';
import { acquire } from './mysql-wait.js';
import type { Waiters } from './waiters.js';

/** What became of a connection: fit for the next, dead by itself, or a sign that all of its age are of no use. */
export type Fate = 'fit' | 'dead' | 'outdated';

export class CurrentPool {
  private age = 0;
  private readonly ages = new WeakMap<PoolConnection, number>();

  constructor(
    private readonly pool: Pool,
    /** How long to wait for a connection, in ms. */
    private readonly acquireMs: number,
    private readonly waiters: Waiters,
  ) {
    pool.on('connection', (connection: PoolConnection) => {
      this.ages.set(connection, this.age);
    });
  }

  /** Throws Unavailable where none becomes free in time. */
  async take(): Promise<PoolConnection> {
    for (;;) {
      const connection = await this.next();
      if (this.isCurrent(connection)) return connection;
      connection.destroy();
    }
  }

  giveBack(connection: PoolConnection, fate: Fate): void {
    if (fate === 'outdated' && this.isCurrent(connection)) this.age += 1;
    if (fate === 'fit' && this.isCurrent(connection)) connection.release();
    else connection.destroy();
  }

  end(done: (error: unknown) => void): void {
    this.pool.end(done);
  }

  private async next(): Promise<PoolConnection> {
    const served = this.waiters.begin();
    try {
      return await acquire(this.pool, this.acquireMs);
    } finally {
      served();
    }
  }

  private isCurrent(connection: PoolConnection): boolean {
    return this.ages.get(connection) === this.age;
  }
}

/**
 * Waits on MySQL and MariaDB that end: for a connection of a pool, and for an answer. The driver's own limit on an answer does
 * not run while the connection is still being set up, so it would not end for a server that greets and then falls silent;
 * these run from the moment of asking.
 */
import type { Pool, PoolConnection, QueryError } from 'mysql2';
import { Unavailable } from '@app/errors';

/** The answer did not come in time. The connection must be destroyed: its next answer would be to this question. */
class Silence extends Error {
  readonly code = 'PROTOCOL_SEQUENCE_TIMEOUT';
}

/** Throws Unavailable where no connection becomes free within `ms`. */
export function acquire(pool: Pool, ms: number): Promise<PoolConnection> {
  return new Promise((resolve, reject) => {
    let late = false;
    const timer = setTimeout(() => {
      late = true;
      reject(new Unavailable('No database connection became free in time. Repeat the request shortly.'));
    }, ms);
    pool.getConnection((error, connection) => {
      clearTimeout(timer);
      if (late) {
        // Nobody waits for it any more; a connection kept here would be lost to the pool.
        if (error === null) connection.release();
        return;
      }
      if (error === null) resolve(connection);
      else reject(error);
    });
  });
}

/** Rejects with the driver's error, or with one that counts as a disconnect where no answer comes within `ms`; 0 is no limit. */
export function ask(connection: PoolConnection, text: string, values: readonly unknown[], ms: number): Promise<unknown> {
  return new Promise((resolve, reject) => {
    const timer =
      ms > 0
        ? setTimeout(() => {
            reject(new Silence(`no answer within ${ms} ms`));
          }, ms)
        : undefined;
    connection.query(
      values.length === 0 ? { sql: text } : { sql: text, values: [...values] },
      (error: QueryError | null, result: unknown) => {
        clearTimeout(timer);
        if (error === null) resolve(result);
        else reject(error);
      },
    );
  });
}

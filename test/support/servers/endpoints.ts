/** What the global setup tells the test processes: where the servers of this run are. It travels in one environment variable. */

export type DatabaseName = 'mariadb' | 'mysql';

export interface Endpoints {
  /** Names this run, in databases and keys: 8 characters of 0-9 a-f. */
  readonly run: string;
  /** A folder of this run for SQLite files. */
  readonly directory: string;
  /** The address without the name of a database; null where no server could be had. Redis is there exactly where this is. */
  readonly database: { readonly name: DatabaseName; readonly url: string } | null;
  readonly redis: string | null;
}

const VARIABLE = 'TASKRUNNERX_TEST_ENDPOINTS';

export function publishEndpoints(endpoints: Endpoints): void {
  process.env[VARIABLE] = JSON.stringify(endpoints);
}

/** Throws outside the test projects that have servers. */
export function endpoints(): Endpoints {
  const published = process.env[VARIABLE];
  if (published === undefined) throw new Error('Servers are provided for the projects `integration` and `e2e` only.');
  return JSON.parse(published) as Endpoints;
}

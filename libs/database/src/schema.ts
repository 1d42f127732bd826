/**
 * Brings the schema up to date, or refuses to run on one that is not. A process that met a schema it does not know would
 * write rows the schema's own code does not expect, so both "too old" and "too new" end the boot with the way out.
 */
import { MigrationExecutor, type DataSource, type QueryRunner } from 'typeorm';
import { InvalidConfiguration, Unavailable } from '@app/errors';
import { ColdConnection } from './cold-pool.js';
import { describe, driverErrorOf, isDenied } from './failures.js';

/** Named locks are the whole server's, so the name carries the database; 64 characters at most. */
const LOCK = `CONCAT('taskrunnerx.', LEFT(SHA2(DATABASE(), 256), 40))`;
const LOCK_WAIT_SECONDS = 60;

/**
 * Runs what is missing; returns the names. Several processes may try at once: a named lock lets one through at a time. It is
 * held by the connection that migrates, so that a process that loses the one loses the other, and that connection has no limit
 * on its statements, the server's or ours: a migration of a large table takes its time.
 */
export async function migrate(dataSource: DataSource): Promise<string[]> {
  if (dataSource.options.type === 'better-sqlite3') return names(await dataSource.runMigrations({ transaction: 'each' }));
  const holder = dataSource.createQueryRunner();
  const variable = dataSource.options.type === 'mariadb' ? 'max_statement_time' : 'max_execution_time';
  try {
    const connection: unknown = await holder.connect();
    if (connection instanceof ColdConnection) connection.waitWithoutLimit();
    const limit = await ask(holder, `SELECT @@SESSION.${variable} AS answer`);
    await holder.query(`SET SESSION ${variable} = 0`);
    try {
      return await migrateAlone(dataSource, holder);
    } finally {
      await holder.query(`SET SESSION ${variable} = ${limit}`);
    }
  } finally {
    await holder.release();
  }
}

async function migrateAlone(dataSource: DataSource, holder: QueryRunner): Promise<string[]> {
  if ((await ask(holder, `SELECT GET_LOCK(${LOCK}, ${LOCK_WAIT_SECONDS}) AS answer`)) !== 1)
    throw new Unavailable('Another process has been migrating this database for a minute. Try again when it is done.');
  try {
    const executor = new MigrationExecutor(dataSource, holder);
    executor.transaction = 'none';
    return names(await executor.executePendingMigrations());
  } catch (error) {
    if (!isDenied(driverErrorOf(error))) throw error;
    const advice = 'Migrate as one who may; the running system needs no such right';
    throw new InvalidConfiguration([`DATABASE_URL: this user may not change the schema. ${advice} (docs/operations.md).`]);
  } finally {
    await holder.query(`SELECT RELEASE_LOCK(${LOCK})`);
  }
}

async function ask(holder: QueryRunner, text: string): Promise<number> {
  const [row] = (await holder.query(text)) as { answer: unknown }[];
  return Number(row?.answer);
}

const names = (migrations: readonly { name: string }[]): string[] => migrations.map((migration) => migration.name);

/** Throws InvalidConfiguration where the schema is older or newer than this build, Unavailable where nobody answers in time. */
export async function assertSchema(dataSource: DataSource): Promise<void> {
  const known = new Set(dataSource.migrations.map((migration) => migration.name ?? migration.constructor.name));
  const applied = await appliedMigrations(dataSource);
  const missing = [...known].filter((name) => !applied.has(name));
  const unknown = [...applied].filter((name) => !known.has(name));
  if (unknown.length > 0) {
    throw new InvalidConfiguration([
      `DATABASE_URL: the schema is newer than this build (it has ${unknown.join(', ')}). Run the build that made it, or a newer one.`,
    ]);
  }
  if (missing.length > 0) {
    throw new InvalidConfiguration([`DATABASE_URL: the schema lacks ${missing.join(', ')}. Run: npm run migrate`]);
  }
}

async function appliedMigrations(dataSource: DataSource): Promise<Set<string>> {
  const runner = dataSource.createQueryRunner();
  try {
    if (!(await runner.hasTable('migrations'))) return new Set();
    const found = (await runner.query('SELECT name FROM migrations')) as { name: string }[];
    return new Set(found.map((row) => row.name));
  } catch (error) {
    throw describe(driverErrorOf(error));
  } finally {
    await runner.release();
  }
}

/** The check above, for those who ask again while the process runs. */
export class Schema {
  constructor(private readonly dataSource: DataSource) {}

  /** Throws InvalidConfiguration where the schema is older or newer than this build, Unavailable where nobody answers in time. */
  async assert(): Promise<void> {
    await assertSchema(this.dataSource);
  }
}

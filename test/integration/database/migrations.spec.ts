/** The schema comes up from nothing, once, whoever tries; it goes down again; and a build refuses a schema it does not know. */
import { afterAll, describe, expect, it } from '@jest/globals';
import type { DataSource } from 'typeorm';
import { assertSchema, migrate } from '../../../libs/database/src/index.js';
import { InvalidConfiguration } from '../../../libs/errors/src/index.js';
import { backends, type Backend } from '../../support/backends.js';
import { isServer, LIMITS, Opened, rejection } from './opened.js';

async function tables(dataSource: DataSource): Promise<string[]> {
  const text =
    dataSource.options.type === 'better-sqlite3'
      ? `SELECT name FROM sqlite_master WHERE type = 'table' AND name NOT LIKE 'sqlite_%'`
      : 'SELECT TABLE_NAME AS name FROM information_schema.TABLES WHERE TABLE_SCHEMA = DATABASE()';
  const found: { name: string }[] = await dataSource.query(text);
  return found.map(({ name }) => name).sort();
}

const all = (dataSource: DataSource): string[] => dataSource.migrations.map((migration) => migration.name ?? migration.constructor.name);

describe.each(backends())('the migrations on $name', (backend: Backend) => {
  const opened = new Opened();
  afterAll(() => opened.close());

  it('make everything from nothing, once', async () => {
    const { dataSource } = await opened.open(await backend.databaseUrl());
    expect(await tables(dataSource)).toEqual([]);
    expect(await migrate(dataSource)).toEqual(all(dataSource));
    const made = await tables(dataSource);
    expect(made).toEqual([...dataSource.entityMetadatas.map(({ tableName }) => tableName), 'migrations'].sort());
    expect(await migrate(dataSource)).toEqual([]);
    expect(await tables(dataSource)).toEqual(made);
  });

  it('take down everything they have made, and can be run again', async () => {
    const { dataSource } = await opened.migrated(backend);
    for (let left = all(dataSource).length; left > 0; left -= 1) await dataSource.undoLastMigration({ transaction: 'none' });
    expect(await tables(dataSource)).toEqual(['migrations']);
    expect(await migrate(dataSource)).toEqual(all(dataSource));
    await assertSchema(dataSource);
  });

  it('keep the tasks when a check is replaced, there and back', async () => {
    const { dataSource } = await opened.migrated(backend);
    const id = `X'${'01'.repeat(16)}'`;
    await dataSource.query(
      `INSERT INTO tasks (id, tenant, queue, name, lane, priority, phase, state, attempt, worker_id, run_at, created_at, updated_at, started_at, created_by, options, payload) ` +
        `VALUES (${id}, 't', 'q', 'n', 1, 0, 'unrung', 'running', 1, ${id}, 1, 2, 3, 4, 's', '{}', '{"a":"ä"}')`,
    );
    const rows = (): Promise<Record<string, unknown>[]> => dataSource.query('SELECT * FROM tasks');
    const [before] = await rows();
    await dataSource.undoLastMigration({ transaction: 'each' });
    expect(await rows()).toEqual([{ ...before, phase: 'live' }]);
    await rejection(dataSource.query(`UPDATE tasks SET phase = 'unrung'`));
    await migrate(dataSource);
    await dataSource.query(`UPDATE tasks SET phase = 'unrung'`);
    expect(await rows()).toEqual([before]);
    await assertSchema(dataSource);
  });

  it('are demanded: an empty schema is refused with the way out', async () => {
    const { dataSource } = await opened.open(await backend.databaseUrl());
    const failure = await rejection(assertSchema(dataSource));
    expect(failure).toBeInstanceOf(InvalidConfiguration);
    expect(String(failure)).toContain(all(dataSource)[0]);
    expect(String(failure)).toContain('npm run migrate');
    await migrate(dataSource);
    await assertSchema(dataSource);
  });

  it('of a newer build are refused', async () => {
    const { dataSource } = await opened.migrated(backend);
    await dataSource.query(`INSERT INTO migrations (timestamp, name) VALUES (9999, 'Future9999999999999')`);
    const failure = await rejection(assertSchema(dataSource));
    expect(failure).toBeInstanceOf(InvalidConfiguration);
    expect(String(failure)).toMatch(/newer than this build.*Future9999999999999/);
  });

  it('that fail half-way can be run again', async () => {
    const { dataSource } = await opened.open(await backend.databaseUrl());
    await dataSource.query('CREATE TABLE queues (other INTEGER)');
    await rejection(migrate(dataSource));
    await dataSource.query('DROP TABLE queues');
    await migrate(dataSource);
    await assertSchema(dataSource);
  });

  if (isServer(backend)) {
    it('run by four processes at once are done by one', async () => {
      const url = await backend.databaseUrl();
      const processes = await Promise.all([1, 2, 3, 4].map(() => opened.open(url)));
      const done = await Promise.all(processes.map(({ dataSource }) => migrate(dataSource)));
      expect(done.flat()).toEqual(all(processes[0]!.dataSource));
      for (const { dataSource } of processes) await assertSchema(dataSource);
    });

    it('wait for another process longer than a statement may run', async () => {
      const url = await backend.databaseUrl();
      const other = await opened.raw(url);
      await other.query(`SELECT GET_LOCK(CONCAT('taskrunnerx.', LEFT(SHA2(DATABASE(), 256), 40)), 0)`);
      const { dataSource } = await opened.open(url);
      const migrating = migrate(dataSource);
      const isOver = migrating.then(
        () => true,
        () => true,
      );
      const longerMs = LIMITS.statementTimeoutMs + 500;
      const still = new Promise((resolve) => setTimeout(resolve, longerMs, 'still waiting'));
      expect(await Promise.race([isOver, still])).toBe('still waiting');
      await other.query(`SELECT RELEASE_LOCK(CONCAT('taskrunnerx.', LEFT(SHA2(DATABASE(), 256), 40)))`);
      expect(await migrating).toEqual(all(dataSource));
    });

    it('may take longer than a statement of the program', async () => {
      const { dataSource } = await opened.migrated(backend);
      const limit = backend.name === 'mariadb' ? '@@max_statement_time' : '@@max_execution_time';
      const seen: unknown[] = [];
      class Slow9999999999999 {
        readonly name = 'Slow9999999999999';
        async up(runner: { query(text: string): Promise<unknown> }): Promise<void> {
          seen.push(await runner.query(`SELECT ${limit} + 0 AS stated`));
        }
        async down(): Promise<void> {
          await Promise.resolve();
        }
      }
      dataSource.migrations.push(new Slow9999999999999());
      expect(await migrate(dataSource)).toEqual(['Slow9999999999999']);
      expect(Number((seen[0] as { stated: unknown }[])[0]?.stated)).toBe(0);
    });
  }
});

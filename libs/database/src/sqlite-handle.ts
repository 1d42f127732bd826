/**
 * The embedded database file and its adapter for TypeORM. The file is held by an exclusive lock for as long as the process
 * lives, so a second process on the same file is refused at once instead of running every task twice. `synchronous=FULL`
 * makes an accepted task survive a power cut, not only a crash.
 *
 * The driver ships its binaries inside the npm package (docs/decisions/0006), speaks the interface of `node:sqlite`, and is
 * dressed here as the `better-sqlite3` that TypeORM knows.
 */
import { mkdirSync } from 'node:fs';
import { dirname } from 'node:path';
import { DatabaseSync, type DatabaseSyncInstance, type StatementSyncInstance as StatementSync } from '@photostructure/sqlite';
import { InvalidConfiguration } from '@app/errors';

const STATEMENT_CACHE_MAX = 200;
const SQLITE_BUSY = 5;

/** Bytes of a blob column as a Buffer over the same memory. */
function withBuffers(row: Record<string, unknown>): Record<string, unknown> {
  for (const key in row) {
    const value = row[key];
    if (value instanceof Uint8Array) row[key] = Buffer.from(value.buffer, value.byteOffset, value.byteLength);
  }
  return row;
}

/** The driver would cut a text at its first NUL without a word. JSON has none (it escapes them), so only odd messages meet this. */
function withoutNul(value: unknown): unknown {
  return typeof value === 'string' && value.includes('\0') ? value.replaceAll('\0', '\uFFFD') : value;
}

function refusal(error: unknown): InvalidConfiguration {
  const { errcode, message } = error as { errcode?: number; message: string };
  const isBusy = ((errcode ?? 0) & 0xff) === SQLITE_BUSY;
  return new InvalidConfiguration([
    isBusy
      ? 'DATABASE_URL: another process has this SQLite file open. Stop it, or give this one a file of its own.'
      : `DATABASE_URL: this SQLite file cannot be used: ${message}.`,
  ]);
}

export class SqliteHandle {
  private readonly database: DatabaseSyncInstance;
  private readonly statements = new Map<string, { statement: StatementSync; reads: boolean }>();

  /** Throws InvalidConfiguration where the file is held by another process, or is none that SQLite can use. */
  constructor(path: string) {
    try {
      if (path !== ':memory:') mkdirSync(dirname(path), { recursive: true });
      this.database = new DatabaseSync(path, { timeout: 1_000 });
    } catch (error) {
      throw refusal(error);
    }
    try {
      this.database.exec('PRAGMA locking_mode=EXCLUSIVE');
      this.database.exec('PRAGMA journal_mode=WAL');
      this.database.exec('PRAGMA synchronous=FULL');
      this.database.exec('PRAGMA foreign_keys=ON');
      // The lock is taken by the first write, so write now rather than find out later.
      this.database.exec('BEGIN IMMEDIATE; COMMIT');
    } catch (error) {
      this.database.close();
      throw refusal(error);
    }
  }

  run(text: string, values: readonly unknown[]): { rows: Record<string, unknown>[]; affected: number; lastId: number | bigint } {
    const { statement, reads } = this.prepared(text);
    const bound = values.map(withoutNul) as readonly (string | number | null | Uint8Array)[];
    if (reads) return { rows: (statement.all(...bound) as Record<string, unknown>[]).map(withBuffers), affected: 0, lastId: 0 };
    const { changes, lastInsertRowid } = statement.run(...bound);
    return { rows: [], affected: Number(changes), lastId: lastInsertRowid };
  }

  exec(text: string): void {
    this.database.exec(text);
  }

  /** Ends a transaction that failed. SQLite may have ended it already, as when the disk is full. */
  rollback(): void {
    if (this.database.isTransaction) this.database.exec('ROLLBACK');
  }

  /**
   * The driver leaves its statements to the garbage collector, and with them the file locked: the lock is given up first. An
   * exclusive WAL can only be left by leaving WAL, which also moves all of it into the one file.
   */
  close(): void {
    if (!this.database.isOpen) return;
    this.statements.clear();
    try {
      this.rollback();
      for (const text of ['PRAGMA journal_mode=DELETE', 'PRAGMA locking_mode=NORMAL', 'SELECT 1 FROM sqlite_master'])
        this.database.exec(text);
    } finally {
      this.database.close();
    }
  }

  reads(text: string): boolean {
    return this.prepared(text).reads;
  }

  private prepared(text: string): { statement: StatementSync; reads: boolean } {
    const known = this.statements.get(text);
    if (known !== undefined) {
      this.statements.delete(text);
      this.statements.set(text, known);
      return known;
    }
    const statement = this.database.prepare(text);
    const entry = { statement, reads: statement.columns().length > 0 };
    this.statements.set(text, entry);
    if (this.statements.size > STATEMENT_CACHE_MAX) {
      const oldest = this.statements.keys().next();
      if (oldest.done !== true) this.statements.delete(oldest.value);
    }
    return entry;
  }
}

/** What TypeORM's better-sqlite3 driver expects to construct, answering from an open handle. */
export function typeormDriver(handle: SqliteHandle): new () => object {
  return class TypeormSqlite {
    readonly inTransaction = false;

    prepare(text: string): object {
      return {
        get reader() {
          return handle.reads(text);
        },
        all: (...values: unknown[]) => handle.run(text, values).rows,
        run: (...values: unknown[]) => {
          const { affected, lastId } = handle.run(text, values);
          return { changes: affected, lastInsertRowid: lastId };
        },
      };
    }

    pragma(text: string): unknown {
      return handle.run(`PRAGMA ${text}`, []).rows;
    }

    exec(text: string): this {
      handle.exec(text);
      return this;
    }

    close(): void {
      handle.close();
    }
  };
}

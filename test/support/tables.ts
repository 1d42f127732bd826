/** Looks into the tables with the engines' own clients, past everything that is under test. */
import { DatabaseSync } from '@photostructure/sqlite';
import { createConnection } from 'mysql2/promise';
import { copyFileSync, existsSync } from 'node:fs';
import { basename, join } from 'node:path';
import { removeDirectory, temporaryDirectory } from './reaper.js';

/**
 * One statement on the database of an installation; on SQLite only to read, and its process must have ended. The file is read as a
 * copy: the driver keeps it locked until its statements are collected.
 */
export async function ask<T>(databaseUrl: string, text: string, values: readonly string[] = []): Promise<T[]> {
  if (databaseUrl.startsWith('sqlite:')) {
    const directory = temporaryDirectory('tables');
    const file = databaseUrl.slice('sqlite:'.length);
    try {
      for (const part of [file, `${file}-wal`].filter((path) => existsSync(path))) copyFileSync(part, join(directory, basename(part)));
      const database = new DatabaseSync(join(directory, basename(file)));
      try {
        return database.prepare(text).all(...values) as T[];
      } finally {
        database.close();
      }
    } finally {
      removeDirectory(directory);
    }
  }
  const connection = await createConnection({ uri: databaseUrl });
  try {
    const [rows] = await connection.query(text, [...values]);
    return rows as T[];
  } finally {
    await connection.end();
  }
}

/** How many tasks of a tenant are in each state. */
export async function statesInTable(databaseUrl: string, tenant: string): Promise<Record<string, number>> {
  const rows = await ask<{ state: string; total: number }>(
    databaseUrl,
    'SELECT state, COUNT(*) AS total FROM tasks WHERE tenant = ? GROUP BY state',
    [tenant],
  );
  return Object.fromEntries(rows.map(({ state, total }) => [state, Number(total)]));
}

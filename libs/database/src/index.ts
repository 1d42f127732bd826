export { columnTypes, type ColumnTypes } from './columns.js';
export { Database, type Outcome, type Row, type Transaction } from './database.js';
export { type Dialect, type Engine } from './dialect.js';
export { DatabaseModule, databaseOptions } from './database.module.js';
export { Pulse, type PulseOptions } from './pulse.js';
export { CommitUnknown, DatabaseError, LockTimeout } from './failures.js';
export { openDatabase, type DatabaseOptions, type EntityFactory, type OpenDatabase } from './open.js';
export { assertSchema, migrate, Schema } from './schema.js';
export { join, list, rows, sql, type Sql, type SqlValue } from './sql.js';

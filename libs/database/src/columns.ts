/**
 * The column types of the entities, per engine. Times are whole milliseconds since the epoch in a BIGINT, 0 for "not yet":
 * the row keeps its width when they are set (measured: an update that makes a row grow costs 15 µs), no session time zone
 * can shift them, and all three engines compare them alike.
 */
import type { EntitySchemaColumnOptions } from 'typeorm';
import type { Engine } from './dialect.js';

export interface ColumnTypes {
  /** 16 bytes: a UUID. */
  id(options?: Partial<EntitySchemaColumnOptions>): EntitySchemaColumnOptions;
  /** 32 bytes: a SHA-256. */
  hash(options?: Partial<EntitySchemaColumnOptions>): EntitySchemaColumnOptions;
  /** ms since the epoch. */
  time(options?: Partial<EntitySchemaColumnOptions>): EntitySchemaColumnOptions;
  /** A 32-bit count. */
  count(options?: Partial<EntitySchemaColumnOptions>): EntitySchemaColumnOptions;
  /** A small number, −128 … 127. */
  small(options?: Partial<EntitySchemaColumnOptions>): EntitySchemaColumnOptions;
  word(length: number, options?: Partial<EntitySchemaColumnOptions>): EntitySchemaColumnOptions;
  /** One of a fixed set of words. */
  choice(words: readonly string[], options?: Partial<EntitySchemaColumnOptions>): EntitySchemaColumnOptions;
  /** Up to 16 MiB of text. */
  long(options?: Partial<EntitySchemaColumnOptions>): EntitySchemaColumnOptions;
  number(options?: Partial<EntitySchemaColumnOptions>): EntitySchemaColumnOptions;
}

export function columnTypes(engine: Engine): ColumnTypes {
  const lite = engine === 'sqlite';
  return {
    id: (options) => ({ type: lite ? 'blob' : 'binary', ...(lite ? {} : { length: 16 }), ...options }),
    hash: (options) => ({ type: lite ? 'blob' : 'binary', ...(lite ? {} : { length: 32 }), ...options }),
    time: (options) => ({ type: lite ? 'integer' : 'bigint', ...options }),
    count: (options) => ({ type: lite ? 'integer' : 'int', ...options }),
    small: (options) => ({ type: lite ? 'integer' : 'tinyint', ...options }),
    word: (length, options) => ({ type: lite ? 'text' : 'varchar', ...(lite ? {} : { length }), ...options }),
    choice: (words, options) => ({ type: lite ? 'text' : 'enum', ...(lite ? {} : { enum: [...words] }), ...options }),
    long: (options) => ({ type: lite ? 'text' : 'mediumtext', ...options }),
    number: (options) => ({ type: lite ? 'real' : 'double', ...options }),
  };
}

/** What the system under test has recorded, read from its tables at the end: the claim that the journal is held against. */
import { createConnection, type Connection, type RowDataPacket } from 'mysql2/promise';
import { FINAL_STATES } from '../support/wire.js';
import { TENANTS } from './plan-tasks.js';

export interface TaskRow {
  /** UUID. */
  readonly id: string;
  /** The submission that its payload names. */
  readonly n: number;
  readonly state: string;
  readonly reason: string;
  readonly attempt: number;
  readonly failures: number;
  readonly crashes: number;
  readonly snoozes: number;
}

export interface AttemptRow {
  readonly id: string;
  readonly attempt: number;
  readonly outcome: string;
  readonly code: string;
  /** JSON text of a success; null otherwise. */
  readonly result: string | null;
  /** By the database's clock, ms since the epoch. */
  readonly startedAt: number;
  readonly finishedAt: number;
}

/** One line of the history of a task as the system tells it. */
export interface EventRow {
  readonly id: string;
  readonly at: number;
  readonly kind: string;
  readonly detail: string;
}

export class Register {
  constructor(private readonly url: string) {}

  /** How many tasks of the campaign have not ended. Rejects while the database is away. */
  async unfinished(): Promise<number> {
    return this.with(async (connection) => {
      const [rows] = await connection.query<(RowDataPacket & { count: number })[]>(
        'SELECT COUNT(*) AS count FROM tasks WHERE tenant IN (?) AND state NOT IN (?)',
        [TENANTS, FINAL_STATES],
      );
      return Number(rows[0]?.count);
    });
  }

  async tasks(): Promise<TaskRow[]> {
    return this.with(async (connection) => {
      const [rows] = await connection.query<(RowDataPacket & TaskRow & { key: Buffer; payload: string })[]>(
        'SELECT id AS `key`, payload, state, reason, attempt, failures, crashes, snoozes FROM tasks WHERE tenant IN (?)',
        [TENANTS],
      );
      return rows.map(({ key, payload, ...row }) => ({ ...row, id: uuidOf(key), n: (JSON.parse(payload) as { n: number }).n }));
    });
  }

  async attempts(): Promise<AttemptRow[]> {
    return this.with(async (connection) => {
      const [rows] = await connection.query<(RowDataPacket & AttemptRow & { key: Buffer })[]>(
        'SELECT task_id AS `key`, a.attempt, outcome, error_code AS code, result, a.started_at AS startedAt, a.finished_at AS finishedAt ' +
          'FROM attempts a JOIN tasks t ON t.id = a.task_id WHERE t.tenant IN (?) ORDER BY task_id, a.attempt',
        [TENANTS],
      );
      return rows.map(({ key, ...row }) => ({ ...row, id: uuidOf(key) }));
    });
  }

  async events(id: string): Promise<EventRow[]> {
    return this.with(async (connection) => {
      const [rows] = await connection.query<(RowDataPacket & EventRow)[]>(
        'SELECT at, kind, detail FROM task_events WHERE task_id = ? ORDER BY at',
        [Buffer.from(id.replaceAll('-', ''), 'hex')],
      );
      return rows.map((row) => ({ ...row, id }));
    });
  }

  /** Folder of the server's files, for keeping them. */
  async dataDirectory(): Promise<string> {
    return this.with(async (connection) => {
      const [rows] = await connection.query<(RowDataPacket & { folder: string })[]>('SELECT @@datadir AS folder');
      return rows[0]?.folder ?? '';
    });
  }

  /** A connection of its own each time: the server may have been killed since. */
  private async with<T>(work: (connection: Connection) => Promise<T>): Promise<T> {
    const connection = await createConnection({ uri: this.url, connectTimeout: 3_000 });
    connection.on('error', () => undefined);
    try {
      return await work(connection);
    } finally {
      connection.destroy();
    }
  }
}

function uuidOf(bytes: Buffer): string {
  const hex = bytes.toString('hex');
  return [hex.slice(0, 8), hex.slice(8, 12), hex.slice(12, 16), hex.slice(16, 20), hex.slice(20)].join('-');
}

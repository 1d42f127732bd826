/** The thread behind Pulse; see there. It shares nothing with the main thread but a time. */
import { parentPort, workerData } from 'node:worker_threads';
import mysql from 'mysql2/promise';
import type { PulseData, PulseMessage } from './pulse.js';
import { serverAddress } from './server-address.js';

const data = workerData as PulseData;

let connection: mysql.Connection | null = null;

async function beat(): Promise<PulseMessage> {
  try {
    connection ??= await mysql.createConnection({
      ...serverAddress(data.url, data.tls),
      connectTimeout: data.beatTimeoutMs,
      timezone: 'Z',
    });
    const values = data.values.map((value) => (value instanceof Uint8Array ? Buffer.from(value) : value));
    const sentAt = process.hrtime.bigint();
    const [result] = await connection.query<mysql.ResultSetHeader>({ sql: data.text, values, timeout: data.beatTimeoutMs });
    if (result.affectedRows > 0) Atomics.store(data.sentAt, 0, sentAt);
    return { affected: result.affectedRows };
  } catch (error) {
    connection?.destroy();
    connection = null;
    const { code, message } = error as NodeJS.ErrnoException;
    return { error: code ?? message };
  }
}

async function pulse(): Promise<void> {
  parentPort?.postMessage(await beat());
  setTimeout(() => void pulse(), data.everyMs);
}

void pulse();

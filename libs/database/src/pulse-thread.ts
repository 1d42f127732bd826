/** The thread behind Pulse; see there. It shares nothing with the main thread but the counter. */
import { writeSync } from 'node:fs';
import { parentPort, workerData } from 'node:worker_threads';
import mysql from 'mysql2/promise';
import type { PulseData, PulseMessage } from './pulse.js';

const data = workerData as PulseData;
const STDERR = 2;
const LOOKS_PER_STALL = 10;

let connection: mysql.Connection | null = null;

async function beat(): Promise<PulseMessage> {
  try {
    connection ??= await mysql.createConnection({
      uri: data.url,
      connectTimeout: data.beatTimeoutMs,
      timezone: 'Z',
      ...(data.tls === 'verify' ? { ssl: { rejectUnauthorized: true } } : {}),
    });
    const values = data.values.map((value) => (value instanceof Uint8Array ? Buffer.from(value) : value));
    const [result] = await connection.query<mysql.ResultSetHeader>({ sql: data.text, values, timeout: data.beatTimeoutMs });
    if (result.affectedRows > 0) Atomics.add(data.counters, 1, 1);
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

function watchMainLoop(): void {
  let seen = Atomics.load(data.counters, 0);
  let since = performance.now();
  setInterval(() => {
    const now = performance.now();
    const current = Atomics.load(data.counters, 0);
    if (current !== seen) {
      seen = current;
      since = now;
      return;
    }
    if (now - since < data.stallMs) return;
    const stalledMs = Math.round(now - since);
    const line = {
      level: 'fatal',
      time: new Date().toISOString(),
      pid: process.pid,
      stalledMs,
      msg: 'The main loop stands still; the process is ended.',
    };
    writeSync(STDERR, `${JSON.stringify(line)}\n`);
    process.kill(process.pid, 'SIGKILL');
  }, data.stallMs / LOOKS_PER_STALL);
}

watchMainLoop();
void pulse();

/**
 * The thread behind MainLoopWatch; see there. It shares nothing with the main thread but two arrays, writes its lines itself, in
 * the shape of the log and to stderr, because the main thread may never write again, and does nothing without a deadline.
 */
import { writeSync } from 'node:fs';
import { workerData } from 'node:worker_threads';
import type { MainLoopWatchData } from './main-loop-watch.js';
import { askMainThread } from './main-thread.js';
import { serverAddress } from './server-address.js';
import { Standstill } from './standstill.js';

interface Running {
  taskId?: string;
  attempt?: number;
  tenant?: string;
  handler?: string;
  requestId?: string;
  stack?: string[];
}

const data = workerData as MainLoopWatchData;
const STDERR = 2;
const ANSWER_MS = 1_000;
const BLAME_MS = 2_000;
const STACK_LINES_MAX = 15;
const TEXT_MAX = 300;
/** The message itself and the frame of the question. */
const OWN_FRAME = /^Error\b|<anonymous>:1:/;

/** A watcher that dies of an error watches nothing any more, and could not end a process that stands still. */
for (const event of ['uncaughtException', 'unhandledRejection'] as const) {
  process.on(event, (error: unknown) => {
    write('warn', { reason: error instanceof Error ? error.message : String(error) }, 'Watching the main loop met an error; it goes on.');
  });
}

const turns = (): number => Atomics.load(data.turns, 0);
let named: Running = {};
/** Loaded before it is needed: when it is, there is little time. */
const mysql = data.blame === null ? null : await import('mysql2/promise');

/** What runs now; nothing where the main thread gives no answer, or has gone on before it did. */
async function whoRuns(): Promise<Running> {
  const seen = turns();
  const text = await askMainThread(data.question, ANSWER_MS);
  if (text === null || turns() !== seen) return {};
  const { context, stack } = read(text);
  const texts = Object.entries(context ?? {}).filter((entry): entry is [string, string] => typeof entry[1] === 'string');
  const frames = stack.split('\n').map((line) => line.trim().slice(0, TEXT_MAX));
  return {
    ...Object.fromEntries(texts.map(([name, value]) => [name, value.slice(0, TEXT_MAX)])),
    ...(typeof context?.['attempt'] === 'number' ? { attempt: context['attempt'] } : {}),
    stack: frames.filter((line) => line !== '' && !OWN_FRAME.test(line)).slice(0, STACK_LINES_MAX),
  };
}

function read(text: string): { context: Record<string, unknown> | null; stack: string } {
  try {
    return JSON.parse(text) as { context: Record<string, unknown> | null; stack: string };
  } catch {
    return { context: null, stack: '' };
  }
}

function write(level: 'warn' | 'fatal', fields: object, msg: string): void {
  const line = { level, time: new Date().toISOString(), role: data.role, pid: process.pid, ...fields, msg };
  try {
    writeSync(STDERR, `${JSON.stringify(line)}\n`);
  } catch {
    // Nobody reads stderr, or not fast enough; what has to follow must follow all the same.
  }
}

async function warn(stalledMs: number): Promise<void> {
  named = await whoRuns();
  const whose = named.taskId !== undefined ? 'a handler holds it' : named.stack !== undefined ? 'see the stack' : 'it could not be asked';
  write('warn', { ...named, stalledMs }, `The main loop stands still: ${whose}.`);
}

async function end(stalledMs: number): Promise<void> {
  const kill = (): void => {
    process.kill(process.pid, 'SIGKILL');
  };
  setTimeout(kill, ANSWER_MS + BLAME_MS);
  const now = await whoRuns();
  const culprit = now.stack === undefined ? named : now;
  write('fatal', { ...culprit, stalledMs }, 'The main loop stands still; the process is ended.');
  await blame(culprit.taskId).catch((error: unknown) => {
    const { code, message } = error as NodeJS.ErrnoException;
    write('warn', { reason: code ?? message }, 'Whose standstill it was could not be recorded; it counts against all that ran.');
  });
  kill();
}

/** The sweep then counts the crash against this task, and against nothing that ran beside it. */
async function blame(taskId: string | undefined): Promise<void> {
  if (taskId === undefined || data.blame === null || mysql === null) return;
  const { url, tls, statement } = data.blame;
  const connection = await mysql.createConnection({
    ...serverAddress(url, tls),
    connectTimeout: BLAME_MS / 2,
    timezone: 'Z',
  });
  const values = [Buffer.from(taskId.replaceAll('-', ''), 'hex'), Buffer.from(data.workerId)];
  await connection.query({ sql: statement, values, timeout: BLAME_MS / 2 });
}

const standstill = new Standstill({
  ...data,
  turns,
  clock: () => performance.now(),
  onWarn: (stalledMs) => void warn(stalledMs),
  onStall: (stalledMs) => void end(stalledMs),
});
setInterval(() => {
  standstill.look();
}, data.everyMs);

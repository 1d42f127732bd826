/**
 * The structured log: one line per event, JSON for machines or pretty on a terminal. A line that is below the level costs
 * one comparison. Writing is synchronous, so that the last words of a dying process are not lost.
 */
import { isatty } from 'node:tty';
import { destination as stdout, pino, stdTimeFunctions, type DestinationStream, type Logger as Pino } from 'pino';
import { prettyFactory } from 'pino-pretty';
import { safeFields, safeText } from './redaction.js';
import { currentContext } from './request-context.js';

export const LOG_LEVELS = ['trace', 'debug', 'info', 'warn', 'error', 'fatal'] as const;
export type LogLevel = (typeof LOG_LEVELS)[number];
/** Facts of an event. Errors go under any name (`err` by habit); secrets, payloads and results are left out. */
export type LogFields = Readonly<Record<string, unknown>>;

export interface LoggerOptions {
  level: LogLevel | 'silent';
  format: 'auto' | 'json' | 'pretty';
  role: string;
  /** Where the lines go; standard output unless told. `auto` is JSON for any other destination. */
  destination?: DestinationStream;
}

const STDOUT = 1;
/** Names that every line has already; a field of the same name gets an underscore, or one of the two would be lost. */
const RESERVED: readonly string[] = ['level', 'time', 'role', 'pid', 'msg'];

/** Writes lines. Made by `createLogger`; a child adds its fields to every line. */
export class Logger {
  constructor(private readonly pino: Pino) {}

  trace(fields: LogFields, message: string): void {
    this.write('trace', fields, message);
  }

  debug(fields: LogFields, message: string): void {
    this.write('debug', fields, message);
  }

  info(fields: LogFields, message: string): void {
    this.write('info', fields, message);
  }

  warn(fields: LogFields, message: string): void {
    this.write('warn', fields, message);
  }

  error(fields: LogFields, message: string): void {
    this.write('error', fields, message);
  }

  fatal(fields: LogFields, message: string): void {
    this.write('fatal', fields, message);
  }

  child(fields: LogFields): Logger {
    return new Logger(this.pino.child(safeLine(fields)));
  }

  /** Whether a line of this level would be written; worth asking before fields that cost something to gather. */
  isEnabled(level: LogLevel): boolean {
    return this.pino.isLevelEnabled(level);
  }

  private write(level: LogLevel, fields: LogFields, message: string): void {
    if (this.pino.isLevelEnabled(level)) this.pino[level](safeLine(fields), safeText(message));
  }
}

export function createLogger({ level, format, role, destination }: LoggerOptions): Logger {
  const terminal = destination === undefined && isatty(STDOUT);
  const target = destination ?? stdout({ dest: STDOUT, sync: true });
  const forPeople = format === 'pretty' || (format === 'auto' && terminal);
  const options = {
    level,
    base: { role, pid: process.pid },
    timestamp: stdTimeFunctions.isoTime,
    formatters: { level: (label: string) => ({ level: label }) },
    mixin: () => safeFields(currentContext() ?? {}),
    // Errors are already plain objects here; without this pino would look at `err` a second time.
    serializers: { err: (value: unknown) => value },
  };
  return new Logger(pino(options, forPeople ? forReading(target, terminal) : target));
}

/** Lines for people, formatted in this process: a formatting thread could lose the last ones. */
function forReading(target: DestinationStream, colorize: boolean): DestinationStream {
  const format = prettyFactory({ colorize, translateTime: 'HH:MM:ss.l', ignore: 'pid,role', errorLikeObjectKeys: ['err', 'error'] });
  return { write: (line) => target.write(format(line)) };
}

function safeLine(fields: LogFields): Record<string, unknown> {
  const safe = Object.entries(safeFields(fields));
  return Object.fromEntries(safe.map(([name, value]) => [RESERVED.includes(name) ? `${name}_` : name, value]));
}

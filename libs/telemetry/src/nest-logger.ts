/**
 * Lets the framework's own lines go through our log, so that there is one format and one redaction. Its boot chatter (which
 * module was initialised, which route was mapped) is of interest to nobody but us and goes to debug.
 */
import type { LoggerService } from '@nestjs/common';
import type { Logger, LogFields, LogLevel } from './logger.js';

const CHATTER: ReadonlySet<string> = new Set([
  'InstanceLoader',
  'NestApplication',
  'NestApplicationContext',
  'NestFactory',
  'RouterExplorer',
  'RoutesResolver',
]);

export class NestLogger implements LoggerService {
  constructor(private readonly logger: Logger) {}

  log(message: unknown, ...rest: unknown[]): void {
    const context = contextOf(rest);
    this.write(context !== undefined && CHATTER.has(context) ? 'debug' : 'info', message, { context });
  }

  /** Nest calls this with (message, stack?, context?). */
  error(message: unknown, ...rest: unknown[]): void {
    const context = contextOf(rest);
    const stack = rest.find((part) => typeof part === 'string' && part !== context);
    const err = rest.find((part) => part instanceof Error) ?? (stack === undefined ? undefined : withStack(message, stack));
    this.write('error', message, { context, err });
  }

  warn(message: unknown, ...rest: unknown[]): void {
    this.write('warn', message, { context: contextOf(rest) });
  }

  debug(message: unknown, ...rest: unknown[]): void {
    this.write('debug', message, { context: contextOf(rest) });
  }

  verbose(message: unknown, ...rest: unknown[]): void {
    this.write('trace', message, { context: contextOf(rest) });
  }

  fatal(message: unknown, ...rest: unknown[]): void {
    this.write('fatal', message, { context: contextOf(rest) });
  }

  private write(level: LogLevel, message: unknown, fields: LogFields): void {
    if (typeof message === 'string') this.logger[level](fields, message);
    else if (message instanceof Error) this.logger[level]({ ...fields, err: message }, message.message);
    else this.logger[level]({ ...fields, detail: message }, 'The framework logged an object.');
  }
}

/** Nest puts the name of the writer last. A text with a line break is a stack, not a name. */
function contextOf(rest: readonly unknown[]): string | undefined {
  const last = rest.at(-1);
  return typeof last === 'string' && !last.includes('\n') ? last : undefined;
}

/** Nest hands over the text of a stack where the error itself is gone. */
function withStack(message: unknown, stack: unknown): Error {
  return Object.assign(new Error(typeof message === 'string' ? message : ''), { stack });
}

/**
 * The logger of an attempt that runs in an isolate: lines go to the worker, which writes them with the ids of the task. They are
 * bounded here, in number and in size, because a handler that logs in a loop must not keep its worker busy.
 */
import type { FieldsFirst } from '../attempt-context.js';
import type { Line } from './line.js';
import type { LogLevel } from './messages.js';

const LINES_PER_SECOND = 200;
const MESSAGE_LENGTH_MAX = 2_048;
const FIELDS_LENGTH_MAX = 8_192;
const SECOND_MS = 1_000;

type Fields = Readonly<Record<string, unknown>>;

export class MessageLogger implements Pick<FieldsFirst, LogLevel> {
  private since = Number.NEGATIVE_INFINITY;
  private lines = 0;
  private dropped = 0;

  constructor(
    private readonly line: Pick<Line, 'send'>,
    private readonly key: string,
    /** ms, never going back */
    private readonly now: () => number,
  ) {}

  debug(fields: Fields, message: string): void {
    this.write('debug', fields, message);
  }

  info(fields: Fields, message: string): void {
    this.write('info', fields, message);
  }

  warn(fields: Fields, message: string): void {
    this.write('warn', fields, message);
  }

  error(fields: Fields, message: string): void {
    this.write('error', fields, message);
  }

  /** Says how much was left out since it was last said. */
  close(): void {
    if (this.dropped === 0) return;
    this.send('warn', { dropped: this.dropped }, 'Lines of the handler were left out: it logs too fast.');
    this.dropped = 0;
  }

  private write(level: LogLevel, fields: Fields, message: string): void {
    const now = this.now();
    if (now - this.since >= SECOND_MS) {
      this.close();
      this.since = now;
      this.lines = 0;
    }
    this.lines += 1;
    if (this.lines > LINES_PER_SECOND) this.dropped += 1;
    else this.send(level, fields, message);
  }

  private send(level: LogLevel, fields: Fields, message: string): void {
    const text = String(message).slice(0, MESSAGE_LENGTH_MAX);
    this.line.send({ type: 'logged', key: this.key, level, message: text, fields: fieldsText(fields) });
  }
}

/** JSON text of the fields; errors keep what a log shows of them. */
function fieldsText(fields: Fields): string {
  try {
    const text = JSON.stringify(fields, (_name, value: unknown) => (value instanceof Error ? errorFields(value) : value)) as
      string | undefined;
    if (text === undefined || text.length <= FIELDS_LENGTH_MAX) return text ?? '{}';
    return '{"fields":"[too large]"}';
  } catch {
    return '{"fields":"[not readable]"}';
  }
}

function errorFields({ name, message, stack, cause }: Error): Record<string, unknown> {
  return { type: name, message, stack, ...(cause === undefined ? {} : { cause }) };
}

/** The standard output of a program under test, read as one JSON object per line and kept within bounds. */
import { createInterface } from 'node:readline';
import type { Readable } from 'node:stream';

export interface LogLine {
  level: string;
  msg: string;
  [field: string]: unknown;
}

const LINES_MAX = 5_000;
const ERRORS_MAX = 200;

/** Keeps the newest lines, and the first errors for good, so that a chatty run cannot push its own failure out of memory. */
export class LogLines {
  private readonly lines: LogLine[] = [];
  private readonly errors: LogLine[] = [];
  private readonly listeners = new Set<(line: LogLine) => void>();
  /** Resolves when the stream has ended and its last line was read. */
  readonly ended: Promise<void>;

  constructor(stream: Readable) {
    const reader = createInterface({ input: stream });
    reader.on('line', (text) => {
      this.add(parse(text));
    });
    this.ended = new Promise((resolve) => reader.once('close', resolve));
  }

  all(): readonly LogLine[] {
    return this.lines;
  }

  /** Lines of level error and fatal. */
  bad(): readonly LogLine[] {
    return this.errors;
  }

  /** The first line, past or future, that the condition accepts. It has no deadline of its own. */
  first(accepts: (line: LogLine) => boolean): Promise<LogLine> {
    const past = this.lines.find(accepts);
    if (past !== undefined) return Promise.resolve(past);
    return new Promise((resolve) => {
      const listener = (line: LogLine): void => {
        if (!accepts(line)) return;
        this.listeners.delete(listener);
        resolve(line);
      };
      this.listeners.add(listener);
    });
  }

  /** The newest lines as text, for a failure message. */
  tail(count = 15): string {
    return this.lines
      .slice(-count)
      .map((line) => JSON.stringify(line))
      .join('\n');
  }

  private add(line: LogLine): void {
    this.lines.push(line);
    if (this.lines.length > LINES_MAX) this.lines.shift();
    if ((line.level === 'error' || line.level === 'fatal') && this.errors.length < ERRORS_MAX) this.errors.push(line);
    for (const listener of [...this.listeners]) listener(line);
  }
}

/** Text that is not JSON, such as the banner of a first start, becomes a line of level `text`. */
function parse(text: string): LogLine {
  try {
    const line: unknown = JSON.parse(text);
    if (typeof line === 'object' && line !== null && 'level' in line && 'msg' in line) return line as LogLine;
  } catch {
    // Not JSON: kept as it is.
  }
  return { level: 'text', msg: text };
}

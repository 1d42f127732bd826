/**
 * A line that an isolate writes to its stdout and stderr when an attempt is over. What comes before it was written by that attempt
 * or an earlier one, so nothing of it is taken for the words of the next. It is no secret: whoever forges one cuts off nobody but
 * itself.
 */
import type { Writable } from 'node:stream';

/** How long what was written may take to leave. A worker that reads slowly, because it is too much, is not waited for any longer. */
const LEAVING_MS = 250;

const START = '\u0000end of ';

/** Ends a line that was not ended, too. */
export const endMark = (key: string): string => `\n${START}${key}\n`;

/** The key of an end mark; null where the line is none. */
export const markedKey = (line: string): string | null => (line.startsWith(START) ? line.slice(START.length) : null);

export class EndMarks {
  /** Kept from the start, so that a handler that replaces `write` changes nothing. */
  private readonly outputs: { stream: Writable; write: (text: string, sent?: (error: unknown) => void) => void }[];

  constructor(streams: readonly Writable[]) {
    this.outputs = streams.map((stream) => ({ stream, write: writer(stream) }));
  }

  /** False where a handler has closed one: no end can be told any more. */
  get isOpen(): boolean {
    return this.outputs.every(({ stream }) => stream.writable);
  }

  /**
   * Resolves when what was written has left, in a bounded time. In a thread a written line counts as something that goes on until
   * the worker has taken it.
   */
  async sent(): Promise<void> {
    const pending = this.outputs.filter(({ stream }) => stream.writableLength > 0);
    if (pending.length === 0) return;
    let timer: NodeJS.Timeout | undefined;
    const late = new Promise((resolve) => {
      timer = setTimeout(resolve, LEAVING_MS);
    });
    await Promise.race([late, Promise.all(pending.map(({ write }) => new Promise((resolve) => write('', resolve))))]);
    clearTimeout(timer);
  }

  write(key: string): void {
    for (const { write } of this.outputs) write(endMark(key));
  }
}

function writer(stream: Writable): (text: string, sent?: (error: unknown) => void) => void {
  const write = stream.write.bind(stream) as (text: string, sent?: (error: unknown) => void) => boolean;
  return (text, sent) => void write(text, sent);
}

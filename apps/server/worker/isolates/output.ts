/**
 * What isolates write to stdout and stderr, as lines. It is read slowly where there is much, and left out where there is too
 * much: the output of a handler is a courtesy, and a flood of it must not keep the worker busy.
 */
import type { Readable } from 'node:stream';
import { StringDecoder } from 'node:string_decoder';

const LINE_LENGTH_MAX = 2_000;
const WINDOW_MS = 200;
const LINES_PER_WINDOW = 50;
const BYTES_PER_WINDOW = 262_144;
const TAIL_LENGTH = 8_192;

export class Output {
  private readonly decoder = new StringDecoder('utf8');
  private rest = '';
  private lines = 0;
  private bytes = 0;
  private dropped = 0;
  private window: NodeJS.Timeout | null = null;
  /** The last of it, for whoever wants to know why its writer ended. */
  tail = '';

  constructor(
    private readonly stream: Readable,
    private readonly take: (line: string) => void,
  ) {
    stream.on('data', (chunk: Buffer) => {
      this.read(chunk);
    });
    stream.on('end', () => {
      this.end();
    });
    stream.on('error', () => undefined);
  }

  private read(chunk: Buffer): void {
    const text = this.decoder.write(chunk);
    this.tail = (this.tail + text).slice(-TAIL_LENGTH);
    const lines = (this.rest + text).split('\n');
    this.rest = (lines.pop() ?? '').slice(0, LINE_LENGTH_MAX);
    for (const line of lines) this.add(line);
    this.bytes += chunk.length;
    if (this.bytes > BYTES_PER_WINDOW) this.stream.pause();
    this.window ??= setTimeout(() => {
      this.renew();
    }, WINDOW_MS).unref();
  }

  private add(line: string): void {
    if (line.trim() === '') return;
    this.lines += 1;
    if (this.lines > LINES_PER_WINDOW) this.dropped += 1;
    else this.take(line.slice(0, LINE_LENGTH_MAX));
  }

  private renew(): void {
    this.window = null;
    this.lines = 0;
    this.bytes = 0;
    if (this.dropped > 0) this.take(`[${this.dropped} lines were left out]`);
    this.dropped = 0;
    this.stream.resume();
  }

  private end(): void {
    if (this.window !== null) clearTimeout(this.window);
    this.renew();
    this.add(this.rest + this.decoder.end());
    this.rest = '';
  }
}

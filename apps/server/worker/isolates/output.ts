/**
 * What isolates write to stdout and stderr, as lines, attempt by attempt: nothing is carried over an end mark. It is read slowly where there is much, and left out where there is too
 * much: the output of a handler is a courtesy, and a flood of it must not keep the worker busy.
 */
import type { Readable } from 'node:stream';
import { StringDecoder } from 'node:string_decoder';
import { markedKey } from './end-mark.js';

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
  private over = false;
  /** Of the last end mark. */
  private endedKey: string | null = null;
  private waiting: { key: string; resolve: () => void }[] = [];
  /** The last of it since the last end mark, for whoever wants to know why its writer ended. */
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
    stream.on('close', () => {
      this.over = true;
      this.wake();
    });
    stream.on('error', () => undefined);
  }

  /** Resolves when the end mark of this key was read, or when nothing will be read any more. */
  async ended(key: string): Promise<void> {
    if (this.isEnded(key)) return;
    await new Promise<void>((resolve) => this.waiting.push({ key, resolve }));
  }

  private isEnded(key: string): boolean {
    return this.over || this.endedKey === key;
  }

  private wake(): void {
    const woken = this.waiting.filter(({ key }) => this.isEnded(key));
    this.waiting = this.waiting.filter(({ key }) => !this.isEnded(key));
    for (const { resolve } of woken) resolve();
  }

  private read(chunk: Buffer): void {
    const text = this.decoder.write(chunk);
    this.tail = (this.tail + text).slice(-TAIL_LENGTH);
    const lines = (this.rest + text).split('\n');
    this.rest = (lines.pop() ?? '').slice(0, LINE_LENGTH_MAX);
    for (const [index, line] of lines.entries()) {
      const key = markedKey(line);
      if (key === null) this.add(line);
      else this.mark(key, [...lines.slice(index + 1), this.rest].join('\n'));
    }
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

  private mark(key: string, after: string): void {
    this.tellDropped();
    this.tail = after;
    this.endedKey = key;
    this.wake();
  }

  private tellDropped(): void {
    if (this.dropped > 0) this.take(`[${this.dropped} lines were left out]`);
    this.dropped = 0;
  }

  private renew(): void {
    this.window = null;
    this.lines = 0;
    this.bytes = 0;
    this.tellDropped();
    this.stream.resume();
  }

  private end(): void {
    if (this.window !== null) clearTimeout(this.window);
    this.renew();
    this.add(this.rest + this.decoder.end());
    this.rest = '';
    this.over = true;
    this.wake();
  }
}

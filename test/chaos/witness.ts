/**
 * What the handlers have written down: the journal, read as it grows, and the store of effects. This is the campaign's only
 * witness of what was executed; see `handlers/chaos.mjs`.
 */
import { closeSync, mkdirSync, openSync, readdirSync, readFileSync, readSync } from 'node:fs';
import { join } from 'node:path';

export interface Line {
  /** ms of `clockMs`. */
  readonly at: number;
  /** `end`: the handler returned; `throw`: it threw, whatever; neither: it was still at it when its process died. */
  readonly what: 'start' | 'applied' | 'found' | 'saved' | 'throw' | 'end';
  /** The submission it comes from. */
  readonly n: number;
  readonly id: string;
  readonly attempt: number;
  readonly pid: number;
  /** What the process itself thought the time was, ms since the epoch. */
  readonly wall: number;
  /** Of `start`: the step found in the last checkpoint; of `saved`: the step that was stored. */
  readonly step?: number;
  /** Of `throw`: the error's name and code. */
  readonly error?: string;
  readonly code?: string | number;
}

/** One effect: the token it was applied under, and the submission it belongs to. */
export interface Effect {
  readonly token: string;
  /** Null where the process died between making the file and writing into it: the effect happened. */
  readonly n: number | null;
}

const CHUNK = 1 << 20;

export class Witness {
  readonly lines: Line[] = [];
  private readonly journal: string;
  private readonly effectsFolder: string;
  private readonly file: number;
  private offset = 0;
  private rest = '';
  private returned = 0;
  /** Process → its attempts that have begun and not ended. */
  private readonly open = new Map<number, Map<string, Line>>();

  constructor(directory: string) {
    this.journal = join(directory, 'journal.jsonl');
    this.effectsFolder = join(directory, 'effects');
    mkdirSync(this.effectsFolder, { recursive: true });
    this.file = openSync(this.journal, 'a+', 0o600);
  }

  /** For the processes whose handlers write here. */
  get environment(): { CHAOS_JOURNAL: string; CHAOS_EFFECTS: string } {
    return { CHAOS_JOURNAL: this.journal, CHAOS_EFFECTS: this.effectsFolder };
  }

  /** How many executions have returned so far. */
  get returns(): number {
    this.read();
    return this.returned;
  }

  /** The attempts that a process has begun and not ended, as far as is known now. */
  heldBy(pid: number): readonly Line[] {
    this.read();
    return [...(this.open.get(pid)?.values() ?? [])];
  }

  effects(): Effect[] {
    return readdirSync(this.effectsFolder).map((token) => {
      const text = readFileSync(join(this.effectsFolder, token), 'utf8');
      return { token, n: text === '' ? null : Number(text) };
    });
  }

  /** Reads what was added since the last time. */
  read(): void {
    const buffer = Buffer.allocUnsafe(CHUNK);
    for (;;) {
      const count = readSync(this.file, buffer, 0, CHUNK, this.offset);
      if (count === 0) return;
      this.offset += count;
      const lines = (this.rest + buffer.toString('utf8', 0, count)).split('\n');
      this.rest = lines.pop() ?? '';
      for (const text of lines) this.take(JSON.parse(text) as Line);
    }
  }

  close(): void {
    closeSync(this.file);
  }

  private take(line: Line): void {
    this.lines.push(line);
    if (line.what === 'end') this.returned += 1;
    const held = this.open.get(line.pid) ?? new Map<string, Line>();
    this.open.set(line.pid, held);
    const key = `${line.id} ${line.attempt}`;
    if (line.what === 'start') held.set(key, line);
    if (line.what === 'end' || line.what === 'throw') held.delete(key);
  }
}

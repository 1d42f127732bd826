/**
 * Whether Redis takes messages, and why not where it does not. A server that answers may still refuse every write (full, a
 * read-only replica, no disk), and one that hangs refuses nothing; both would cost every submission a failed ring. So the first
 * sign of it closes the door for this process: tasks go to the database alone, and one small write per second finds out when the
 * door may open again. The outage is told once, and so is its end.
 */
import { refusedPeer } from '@app/errors';

/** The first word of an answer that is about the server and not about one key, and what it means to an operator. */
const REFUSALS: Readonly<Record<string, string>> = {
  OOM: 'Redis is full (maxmemory) and takes no messages',
  READONLY: 'Redis is a read-only replica and takes no messages',
  MISCONF: 'Redis cannot save its data and takes no messages',
  NOREPLICAS: 'Redis has too few replicas and takes no messages',
  LOADING: 'Redis is still loading its data',
  MASTERDOWN: 'Redis is a replica that has lost its master',
  CLUSTERDOWN: 'the Redis Cluster is down',
  BUSY: 'Redis is busy with a script',
  NOPERM: 'the Redis user may not do this',
  NOAUTH: 'Redis asks for a password',
  WRONGPASS: 'Redis refuses the password',
};
const SILENT = 'Redis does not answer';
const LOOK_EVERY_MS = 1_000;

/** The words for an error, or null for an answer that says nothing about the server as a whole. */
export function outageWords(error: Error): string | null {
  if (error.name !== 'ReplyError') return refusedWords(error) ?? SILENT;
  return REFUSALS[error.message.split(' ', 1)[0] ?? ''] ?? null;
}

function refusedWords(error: Error): string | null {
  const words = refusedPeer(error);
  return words === null ? null : `Redis ${words}`;
}

/** Whether the server behind this connection is no longer the one that takes writes; behind the same name there may be another. */
export function isDemoted(error: Error): boolean {
  return /^(READONLY|MASTERDOWN)\b/.test(error.message);
}

/** Whether a question stayed without an answer. Its connection may be dead without knowing, as when a firewall forgot it. */
export function isSilence(error: Error): boolean {
  return error.message === 'Command timed out';
}

export interface OutageReport {
  began(reason: string, error: Error): void;
  ended(): void;
}

export class RedisOutage {
  private words: string | null = null;
  /** That the words are about TLS; every attempt that then fails looks like silence to whoever waited for it. */
  private isRefused = false;
  private timer: NodeJS.Timeout | null = null;
  private closed = false;

  constructor(
    /** A write as cheap as there is. */
    private readonly probe: () => Promise<void>,
    private readonly report: OutageReport,
  ) {}

  /** Null where Redis takes messages, as far as is known. */
  get reason(): string | null {
    return this.words;
  }

  /** An error met while talking to Redis. */
  met(error: Error): void {
    const words = outageWords(error);
    if (words === null || this.closed) return;
    const isNew = this.words === null;
    if (!this.isRefused || words !== SILENT) {
      this.isRefused = refusedPeer(error) !== null;
      this.words = words;
    }
    if (isNew) this.report.began(words, error);
    this.arm();
  }

  /** Tries now; returns the reason where it failed. */
  async look(): Promise<string | null> {
    try {
      await this.probe();
      this.end();
    } catch (error) {
      this.met(error as Error);
    }
    return this.words;
  }

  close(): void {
    this.closed = true;
    if (this.timer !== null) clearTimeout(this.timer);
  }

  private end(): void {
    if (this.words === null || this.closed) return;
    this.words = null;
    this.isRefused = false;
    this.report.ended();
  }

  private arm(): void {
    this.timer ??= setTimeout(() => {
      this.timer = null;
      void this.look();
    }, LOOK_EVERY_MS).unref();
  }
}

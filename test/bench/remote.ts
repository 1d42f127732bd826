/** A process of a contender (`contender.mjs`), seen from the bench: one call at a time, each with a deadline. */
import { fork, type ChildProcess } from 'node:child_process';
import { once } from 'node:events';
import { fileURLToPath } from 'node:url';
import { FLAGS } from '../support/process.js';
import { forget, watch } from '../support/reaper.js';
import { within } from '../support/until.js';

const PROGRAM = fileURLToPath(new URL('./contender.mjs', import.meta.url));
const OPEN_MS = 60_000;
const CLOSE_MS = 30_000;
const SHOWN_MAX = 4_000;

export interface RemoteOptions {
  /** URL of the module that knows the contender's product. */
  readonly adapter: string;
  readonly role: 'producer' | 'consumer';
  readonly settings: Readonly<Record<string, unknown>>;
  /** The whole environment besides PATH. */
  readonly env: Readonly<Record<string, string>>;
  /** The Node to run it. */
  readonly node: string;
}

type Answer = { readonly result: unknown } | { readonly failure: string };

export class Remote {
  private complaint = '';
  /** The call before: answers do not say to what they are one. */
  private before: Promise<unknown> = Promise.resolve();

  private constructor(private readonly child: ChildProcess) {
    for (const stream of [child.stdout, child.stderr]) {
      stream?.setEncoding('utf8').on('data', (text: string) => {
        this.complaint = (this.complaint + text).slice(-SHOWN_MAX);
      });
    }
  }

  /** Resolves when it is open for calls. */
  static async start({ adapter, role, settings, env, node }: RemoteOptions): Promise<Remote> {
    const child = fork(PROGRAM, [adapter, role, JSON.stringify(settings)], {
      execPath: node,
      execArgv: [...FLAGS],
      env: { PATH: process.env['PATH'], ...env },
      stdio: ['ignore', 'pipe', 'pipe', 'ipc'],
    });
    const { pid } = child;
    if (pid === undefined) throw new Error(`${node} could not be started.`);
    watch('process', pid);
    child.once('exit', () => {
      forget('process', pid);
    });
    const remote = new Remote(child);
    await remote.answer(OPEN_MS, `the ${role} to open`);
    return remote;
  }

  get pid(): number {
    return this.child.pid ?? 0;
  }

  call<T>(call: string, argument: unknown, deadlineMs: number): Promise<T> {
    const answered = this.before.then(() => {
      const answer = this.answer(deadlineMs, call);
      this.child.send({ call, argument });
      return answer as Promise<T>;
    });
    this.before = answered.catch(() => undefined);
    return answered;
  }

  /** Fails where it has written anything but warnings: what works says nothing. */
  async close(): Promise<void> {
    if (this.child.exitCode !== null || this.child.signalCode !== null) throw new Error(`The process has ended. ${this.complaint}`);
    try {
      await this.call('close', null, CLOSE_MS);
    } finally {
      this.child.disconnect();
      const gone: Promise<unknown> = this.child.exitCode === null ? once(this.child, 'exit') : Promise.resolve();
      await within(gone, CLOSE_MS, 'the process to end').catch(() => this.child.kill('SIGKILL'));
    }
    const complaints = complaintsIn(this.complaint);
    if (complaints !== '') throw new Error(`The process has complained: ${complaints}`);
  }

  private async answer(deadlineMs: number, what: string): Promise<unknown> {
    const settled = new AbortController();
    const { signal } = settled;
    try {
      const answered = once(this.child, 'message', { signal }) as Promise<[Answer]>;
      const ended = once(this.child, 'exit', { signal }).then((): never => {
        throw new Error(`The process ended before ${what}: ${this.complaint}`);
      });
      ended.catch(() => undefined);
      const [answer] = await within(Promise.race([answered, ended]), deadlineMs, what);
      if ('failure' in answer) throw new Error(answer.failure);
      return answer.result;
    } finally {
      settled.abort();
    }
  }
}

/** The lines that are no warnings of the product: a machine that is busy with something else is worth one, and no fault. */
export function complaintsIn(text: string): string {
  return text
    .split('\n')
    .filter((line) => line !== '' && !line.startsWith('{"level":"warn"'))
    .join('\n');
}

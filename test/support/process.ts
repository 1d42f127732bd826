/**
 * The built program as a real child process: what the end-to-end tests start, watch and kill. It sees only the environment that
 * the test gives it, because a variable of the developer's shell must not decide a test.
 */
import { spawn, type ChildProcess } from 'node:child_process';
import { existsSync } from 'node:fs';
import { fileURLToPath } from 'node:url';
import { LogLines, type LogLine } from './log-lines.js';
import { forget, watch } from './reaper.js';
import { until, within } from './until.js';

const PROGRAM = fileURLToPath(new URL('../../dist/apps/server/main.js', import.meta.url));
const STDERR_MAX = 64 * 1024;

export interface AppOptions {
  /** The whole environment except PATH; PORT is 0 (any free port) unless given. */
  env: Readonly<Record<string, string>>;
  /** Which lines of level error or fatal this test provokes on purpose: all of them, or those accepted. */
  expectErrors?: boolean | ((line: LogLine) => boolean);
  /** Another program than the server, for tests of the harness itself and of one-shot commands. */
  program?: string;
  arguments?: readonly string[];
  /** The words of a command that runs the command after it in its own place, such as one that enters a namespace. */
  launcher?: readonly string[];
  cwd?: string;
  /** Path of the Node to run it; this one's unless given. */
  node?: string;
}

export interface Exit {
  readonly code: number | null;
  readonly signal: NodeJS.Signals | null;
}

/** As `npm start` and the image start it. */
export const FLAGS = ['--enable-source-maps', '--max-semi-space-size=64'];

export class App {
  /** Resolves when the process is gone and its last line was read. */
  readonly exited: Promise<Exit>;
  private readonly child: ChildProcess;
  private readonly lines: LogLines;
  private errorText = '';
  private exit: Exit | undefined;
  private address: { port: number; url: string } | undefined;

  constructor(private readonly options: AppOptions) {
    const program = options.program ?? PROGRAM;
    if (!existsSync(program)) throw new Error('There is no build to test. Run `npm run build` first.');
    const words = [...(options.launcher ?? []), options.node ?? process.execPath, ...FLAGS, program, ...(options.arguments ?? [])];
    const child = spawn(words[0] ?? '', words.slice(1), {
      env: { PATH: process.env['PATH'], PORT: '0', ...options.env },
      cwd: options.cwd,
      stdio: ['ignore', 'pipe', 'pipe'],
    });
    this.child = child;
    this.lines = new LogLines(child.stdout);
    child.stderr.setEncoding('utf8').on('data', (text: string) => {
      this.errorText = (this.errorText + text).slice(-STDERR_MAX);
    });
    watch('process', this.pid);
    this.exited = new Promise((resolve, reject) => {
      child.once('error', reject);
      child.once('close', (code, signal) => {
        forget('process', this.pid);
        this.exit = { code, signal };
        void this.lines.ended.then(() => {
          resolve({ code, signal });
        });
      });
    });
    this.exited.catch(() => undefined);
  }

  get pid(): number {
    if (this.child.pid === undefined) throw new Error('The process could not be started.');
    return this.child.pid;
  }

  get isRunning(): boolean {
    return this.exit === undefined;
  }

  /** Without a trailing slash. Known once `waitForReady` or `waitForListening` has resolved. */
  get url(): string {
    if (this.address === undefined) throw new Error('Wait for the process to listen first.');
    return this.address.url;
  }

  get port(): number {
    if (this.address === undefined) throw new Error('Wait for the process to listen first.');
    return this.address.port;
  }

  logs(): readonly LogLine[] {
    return this.lines.all();
  }

  /** What it wrote to stderr, the last 64 KiB of it. */
  stderr(): string {
    return this.errorText;
  }

  /** The first line, past or future, that the condition accepts. Fails at the deadline, or at once when the process ends. */
  async waitForLine(accepts: (line: LogLine) => boolean, deadlineMs = 10_000, what = 'a log line'): Promise<LogLine> {
    const ended = this.exited.then(({ code, signal }) => {
      throw new Error(`the process ended (${code ?? signal}) before ${what}`);
    });
    ended.catch(() => undefined);
    try {
      return await within(Promise.race([this.lines.first(accepts), ended]), deadlineMs, what);
    } catch (error) {
      throw this.explained(error);
    }
  }

  /** Resolves when the server has said where it listens. */
  async waitForListening(deadlineMs = 20_000): Promise<void> {
    const { port } = await this.waitForLine((line) => line.msg === 'listening', deadlineMs, 'the line "listening"');
    if (typeof port !== 'number') throw this.explained(new Error('the line "listening" names no port'));
    this.address = { port, url: `http://127.0.0.1:${port}` };
  }

  /** Resolves when /health/ready answers 200. */
  async waitForReady(deadlineMs = 20_000): Promise<void> {
    const giveUpAt = performance.now() + deadlineMs;
    await this.waitForListening(deadlineMs);
    try {
      await until(() => !this.isRunning || this.isReady(), {
        deadlineMs: Math.max(0, giveUpAt - performance.now()),
        what: '/health/ready',
      });
      if (!this.isRunning) throw new Error('the process ended before it was ready');
    } catch (error) {
      throw this.explained(error);
    }
  }

  kill(signal: NodeJS.Signals): void {
    this.child.kill(signal);
  }

  /** SIGTERM, then waits for the exit; at the deadline it is killed and the call fails. */
  async stop(deadlineMs = 30_000): Promise<Exit> {
    this.kill('SIGTERM');
    try {
      return await within(this.exited, deadlineMs, 'the process to stop after SIGTERM');
    } catch (error) {
      await this.end();
      throw this.explained(error);
    }
  }

  /** SIGKILL, then waits for the exit. */
  async end(): Promise<void> {
    this.kill('SIGKILL');
    await this.exited.catch(() => undefined);
  }

  /** Lines of level error or fatal that the test did not announce. */
  unexpectedErrors(): readonly LogLine[] {
    const { expectErrors = false } = this.options;
    if (typeof expectErrors === 'boolean') return expectErrors ? [] : this.lines.bad();
    return this.lines.bad().filter((line) => !expectErrors(line));
  }

  private async isReady(): Promise<boolean> {
    const answer = await fetch(`${this.url}/health/ready`, { signal: AbortSignal.timeout(2_000) });
    await answer.arrayBuffer();
    return answer.status === 200;
  }

  private explained(error: unknown): Error {
    const message = error instanceof Error ? error.message : String(error);
    return new Error(`${message}\nlast log lines:\n${this.lines.tail()}\nstderr:\n${this.errorText.slice(-4_000)}`, { cause: error });
  }
}

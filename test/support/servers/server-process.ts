/** A server as a child process: started on a free port with throw-away data, verified to be ours, killed with our own end. */
import { spawn, type ChildProcess } from 'node:child_process';
import { once } from 'node:events';
import { openSync, closeSync, readFileSync } from 'node:fs';
import { forget, removeDirectory, watch } from '../reaper.js';
import { until } from '../until.js';
import { isListening } from './ports.js';
import type { PrivateServer } from './server.js';

export interface Recipe {
  readonly program: string;
  readonly arguments: readonly string[];
  readonly directory: string;
  readonly logFile: string;
  readonly port: number;
  readonly url: string;
  /** Resolves to true when the server answers and is the one that was started here; throws or says false otherwise. */
  isOurs(): Promise<boolean>;
}

export class ServerProcess implements PrivateServer {
  readonly url: string;
  readonly port: number;
  private child: ChildProcess | undefined;

  private constructor(private readonly recipe: Recipe) {
    this.url = recipe.url;
    this.port = recipe.port;
  }

  static async start(recipe: Recipe): Promise<ServerProcess> {
    const server = new ServerProcess(recipe);
    await server.restart();
    return server;
  }

  async restart(): Promise<void> {
    await this.stop();
    const log = openSync(this.recipe.logFile, 'a');
    const child = spawn(this.recipe.program, this.recipe.arguments, { cwd: this.recipe.directory, stdio: ['ignore', log, log] });
    closeSync(log);
    this.child = child;
    const failed = once(child, 'error').catch(() => undefined);
    if (child.pid === undefined) throw new Error(`${this.recipe.program} could not be started: ${String(await failed)}`);
    const { pid } = child;
    watch('process', pid);
    child.once('exit', () => {
      forget('process', pid);
    });
    child.unref();
    try {
      await until(() => hasExited(child) || this.answers(), {
        deadlineMs: 60_000,
        everyMs: 20,
        what: `${this.recipe.program} on port ${this.port}`,
      });
      if (hasExited(child)) throw new Error(`${this.recipe.program} ended with ${child.exitCode ?? child.signalCode}`);
    } catch (error) {
      await this.signal('SIGKILL');
      throw new Error(`${(error as Error).message}\n${this.lastLogLines()}`, { cause: error });
    }
  }

  /** Null where it has not been started. */
  get pid(): number | null {
    return this.child?.pid ?? null;
  }

  /** Whether it has not ended, by our hand or by itself. */
  get isRunning(): boolean {
    return this.child !== undefined && !hasExited(this.child);
  }

  async kill9(): Promise<void> {
    await this.signal('SIGKILL');
  }

  async stop(): Promise<void> {
    await this.thaw();
    await this.signal('SIGTERM');
  }

  freeze(): Promise<void> {
    this.child?.kill('SIGSTOP');
    return Promise.resolve();
  }

  thaw(): Promise<void> {
    this.child?.kill('SIGCONT');
    return Promise.resolve();
  }

  async remove(): Promise<void> {
    await this.signal('SIGKILL');
    removeDirectory(this.recipe.directory);
  }

  /** Clients are slow to give up on a port where nobody listens yet, so the port is asked first. */
  private async answers(): Promise<boolean> {
    return (await isListening(this.port)) && (await this.recipe.isOurs());
  }

  private async signal(signal: NodeJS.Signals): Promise<void> {
    const { child } = this;
    if (child === undefined || hasExited(child)) return;
    child.ref();
    const gone = once(child, 'exit');
    child.kill(signal);
    await gone;
  }

  private lastLogLines(): string {
    return readFileSync(this.recipe.logFile, 'utf8').split('\n').slice(-20).join('\n');
  }
}

function hasExited(child: ChildProcess): boolean {
  return child.exitCode !== null || child.signalCode !== null;
}

/** The processes of one suite: started by its tests, killed at its end, and held to having logged no error by surprise. */
import { afterAll } from '@jest/globals';
import { App, type AppOptions } from './process.js';

export class Fleet {
  private readonly apps: App[] = [];

  /** Starts one process and returns at once. */
  spawn(options: AppOptions): App {
    const app = new App(options);
    this.apps.push(app);
    return app;
  }

  /** Starts one process and resolves when it is ready. */
  async start(options: AppOptions, deadlineMs?: number): Promise<App> {
    const app = this.spawn(options);
    await app.waitForReady(deadlineMs);
    return app;
  }

  /** Kills what still runs and fails with the errors that nobody announced. */
  async close(): Promise<void> {
    const ended = this.apps.splice(0);
    await Promise.all(ended.map((app) => app.end()));
    const errors = ended.flatMap((app) => app.unexpectedErrors());
    if (errors.length > 0) {
      const shown = errors.slice(0, 10).map((line) => JSON.stringify(line));
      throw new Error(`${errors.length} unexpected log line(s) at level error or fatal:\n${shown.join('\n')}`);
    }
  }
}

/** Call it inside a `describe`: everything the fleet has started ends with that block. */
export function useFleet(): Fleet {
  const fleet = new Fleet();
  afterAll(() => fleet.close(), 30_000);
  return fleet;
}

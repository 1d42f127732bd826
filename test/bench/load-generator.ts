/** The load generator's process, seen from the bench. */
import { fork, type ChildProcess } from 'node:child_process';
import { once } from 'node:events';
import { fileURLToPath } from 'node:url';
import { watch } from '../support/reaper.js';
import type { LoadAnswer, LoadJob, LoadReport } from './load-job.js';

const PROGRAM = fileURLToPath(new URL('./load.ts', import.meta.url));
const TYPESCRIPT = new URL('../support/typescript.mjs', import.meta.url).href;

export class LoadGenerator {
  private readonly child: ChildProcess;

  constructor() {
    this.child = fork(PROGRAM, { execArgv: ['--import', TYPESCRIPT], serialization: 'advanced' });
    watch('process', this.child.pid!);
  }

  /** Resolves when every request was answered; fails with the first answer that was not "accepted". */
  async run(job: LoadJob): Promise<LoadReport> {
    const settled = new AbortController();
    const { signal } = settled;
    try {
      const answered = once(this.child, 'message', { signal }) as Promise<[LoadAnswer]>;
      const ended = once(this.child, 'exit', { signal }).then((): never => {
        throw new Error('The load generator ended before its job was done.');
      });
      ended.catch(() => undefined);
      this.child.send(job);
      const [answer] = await Promise.race([answered, ended]);
      if ('failure' in answer) throw new Error(answer.failure);
      return answer.report;
    } finally {
      settled.abort();
    }
  }

  close(): void {
    this.child.disconnect();
  }
}

/** Clients that submit one task after the other without a pause, and what they were told. */
import type { Answer, Client } from './client.js';
import type { WireNewTask, WireProblem, WireTask } from './wire.js';

export interface LoadOptions {
  client: Client;
  clients: number;
  task: (count: number) => WireNewTask;
  /** The longest that one answer may take. */
  timeoutMs: number;
}

export class Load {
  /** Ids of the tasks that were accepted. */
  readonly accepted: string[] = [];
  /** Every other answer. */
  readonly refused: Answer<WireProblem>[] = [];
  /** Requests that got no answer: too late, or the connection broke. */
  readonly broken: unknown[] = [];
  private count = 0;
  private isOver = false;
  private readonly done: Promise<unknown>;

  constructor(private readonly options: LoadOptions) {
    this.done = Promise.all(Array.from({ length: options.clients }, () => this.submit()));
  }

  async stop(): Promise<void> {
    this.isOver = true;
    await this.done;
  }

  private async submit(): Promise<void> {
    const { client, task, timeoutMs } = this.options;
    while (!this.isOver) {
      try {
        const answer = await client.request<WireTask & WireProblem>('POST', '/api/tasks', { body: task(this.count++), timeoutMs });
        if (answer.status === 201) this.accepted.push(answer.body.id);
        else this.refused.push(answer);
      } catch (error) {
        this.broken.push(error);
      }
    }
  }
}

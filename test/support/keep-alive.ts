/**
 * Clients that keep their connections, as a load balancer does, and send one request after the other on each. What they are told is
 * told apart from what they were cut off from: a refused connection can be tried elsewhere, a request that was sent and got no
 * answer cannot.
 */
import { Agent, request } from 'node:http';

export interface KeepAliveOptions {
  port: number;
  token: string;
  connections: number;
  body: unknown;
}

export class KeepAliveClients {
  /** Ids that were answered with 201. */
  readonly accepted: string[] = [];
  /** Other statuses. */
  readonly others: number[] = [];
  /** Requests on an open connection that got no answer. */
  readonly cut: string[] = [];
  /** How many answers said that their connection is over. */
  told = 0;
  private readonly done: Promise<unknown>;

  constructor(private readonly options: KeepAliveOptions) {
    this.done = Promise.all(Array.from({ length: options.connections }, () => this.submit()));
  }

  /** Resolves when nobody listens any more. */
  async ended(): Promise<void> {
    await this.done;
  }

  private async submit(): Promise<void> {
    const agent = new Agent({ keepAlive: true, maxSockets: 1 });
    while (await this.once(agent)) {
      // Until the server is gone.
    }
    agent.destroy();
  }

  private once(agent: Agent): Promise<boolean> {
    const { port, token, body } = this.options;
    return new Promise((resolve) => {
      const headers = { authorization: `Bearer ${token}`, 'content-type': 'application/json' };
      const sending = request({ agent, port, host: '127.0.0.1', method: 'POST', path: '/api/tasks', headers }, (answer) => {
        let text = '';
        answer.setEncoding('utf8').on('data', (chunk: string) => (text += chunk));
        answer.on('error', () => undefined).on('aborted', () => this.cut.push('in the middle of an answer'));
        answer.on('close', () => {
          if (answer.headers.connection === 'close') this.told += 1;
          if (answer.complete && answer.statusCode === 201) this.accepted.push((JSON.parse(text) as { id: string }).id);
          else if (answer.complete) this.others.push(answer.statusCode ?? 0);
          resolve(answer.complete);
        });
      });
      sending.on('error', (error: NodeJS.ErrnoException) => {
        if (error.code !== 'ECONNREFUSED') this.cut.push(`${error.code}: ${error.message}, reused ${String(sending.reusedSocket)}`);
        resolve(false);
      });
      sending.end(JSON.stringify(body));
    });
  }
}

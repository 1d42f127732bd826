/**
 * A small client of the REST API. Its named calls return the body and throw `Refused` on any other answer than 2xx; `request`
 * returns every answer as it is, for tests of statuses and headers.
 */
import { until } from './until.js';
import { FINAL_STATES } from './wire.js';
import type { WireAttempt, WireBatch, WireNewTask, WirePage, WireProblem, WireQueue, WireTask, WireWorker } from './wire.js';

export interface Answer<T = unknown> {
  readonly status: number;
  readonly headers: Headers;
  readonly body: T;
}

export interface RequestOptions {
  /** Sent as JSON; a string is sent as it is. */
  body?: unknown;
  headers?: Readonly<Record<string, string>>;
  /** For the whole exchange; 70 s unless given, which is longer than the longest `Prefer: wait`. */
  timeoutMs?: number;
}

export interface SubmitOptions {
  idempotencyKey?: string;
  /** Sends `Prefer: wait=N`. */
  waitSeconds?: number;
}

/** The server said no. */
export class Refused extends Error {
  constructor(
    readonly status: number,
    readonly problem: WireProblem | null,
    readonly headers: Headers,
    call: string,
  ) {
    super(
      `${call} was answered with ${status}: ${problem?.code ?? 'no code'}: ${problem?.detail ?? ''} ${JSON.stringify(problem?.errors ?? '')}`,
    );
    this.name = 'Refused';
  }
}

export class Client {
  constructor(
    private readonly baseUrl: string,
    private readonly token: string | null,
  ) {}

  async submit(task: WireNewTask, { idempotencyKey, waitSeconds }: SubmitOptions = {}): Promise<WireTask> {
    const headers: Record<string, string> = {};
    if (idempotencyKey !== undefined) headers['idempotency-key'] = idempotencyKey;
    if (waitSeconds !== undefined) headers['prefer'] = `wait=${waitSeconds}`;
    return this.call<WireTask>('POST', '/api/tasks', { body: task, headers });
  }

  async submitBatch(tasks: readonly WireNewTask[]): Promise<WireBatch> {
    return this.call<WireBatch>('POST', '/api/tasks/batch', { body: { tasks } });
  }

  async get(id: string): Promise<WireTask> {
    return this.call<WireTask>('GET', `/api/tasks/${id}`);
  }

  async attempts(id: string): Promise<WireAttempt[]> {
    const { items } = await this.call<{ items: WireAttempt[] }>('GET', `/api/tasks/${id}/attempts`);
    return items;
  }

  async list(query: Readonly<Record<string, string | number>> = {}): Promise<WirePage> {
    const search = new URLSearchParams(Object.entries(query).map(([name, value]): [string, string] => [name, String(value)]));
    return this.call<WirePage>('GET', `/api/tasks?${search.toString()}`);
  }

  /** All pages of the list, at most 1,000 of them. */
  async listAll(query: Readonly<Record<string, string | number>> = {}): Promise<WireTask[]> {
    const tasks: WireTask[] = [];
    let page = await this.list({ limit: 200, ...query });
    for (let pages = 1; ; pages += 1) {
      tasks.push(...page.items);
      if (page.nextCursor === null) return tasks;
      if (pages === 1_000) throw new Error('the list does not end');
      page = await this.list({ limit: 200, ...query, cursor: page.nextCursor });
    }
  }

  async cancel(id: string): Promise<WireTask> {
    return this.call<WireTask>('POST', `/api/tasks/${id}/cancel`);
  }

  async retry(id: string): Promise<WireTask> {
    return this.call<WireTask>('POST', `/api/tasks/${id}/retry`);
  }

  async queues(): Promise<WireQueue[]> {
    const { items } = await this.call<{ items: WireQueue[] }>('GET', '/api/queues');
    return items;
  }

  async pause(queue: string): Promise<WireQueue> {
    return this.call<WireQueue>('POST', `/api/queues/${queue}/pause`);
  }

  async resume(queue: string): Promise<WireQueue> {
    return this.call<WireQueue>('POST', `/api/queues/${queue}/resume`);
  }

  async workers(): Promise<WireWorker[]> {
    const { items } = await this.call<{ items: WireWorker[] }>('GET', '/api/workers');
    return items;
  }

  /** Resolves with the task once it is in a final state. */
  async finished(id: string, deadlineMs = 20_000): Promise<WireTask> {
    let last: WireTask | undefined;
    const isFinal = async (): Promise<boolean> => {
      last = await this.get(id);
      return FINAL_STATES.includes(last.state);
    };
    try {
      await until(isFinal, { deadlineMs, what: `task ${id} to end` });
    } catch (error) {
      throw new Error(`${(error as Error).message}; the task is ${JSON.stringify(last)}`, { cause: error });
    }
    return last as WireTask;
  }

  /** Any request, any answer. A JSON body is parsed, any other is text. */
  async request<T = unknown>(
    method: string,
    path: string,
    { body, headers = {}, timeoutMs = 70_000 }: RequestOptions = {},
  ): Promise<Answer<T>> {
    const sent: Record<string, string> = { ...headers };
    if (this.token !== null) sent['authorization'] ??= `Bearer ${this.token}`;
    if (body !== undefined) sent['content-type'] ??= 'application/json';
    const answer = await fetch(`${this.baseUrl}${path}`, {
      method,
      headers: sent,
      body: body === undefined ? null : typeof body === 'string' ? body : JSON.stringify(body),
      signal: AbortSignal.timeout(timeoutMs),
      redirect: 'manual',
    });
    const text = await answer.text();
    const isJson = /[/+]json\b/.test(answer.headers.get('content-type') ?? '');
    return { status: answer.status, headers: answer.headers, body: (isJson && text !== '' ? JSON.parse(text) : text) as T };
  }

  private async call<T>(method: string, path: string, options: RequestOptions = {}): Promise<T> {
    const { status, headers, body } = await this.request<T>(method, path, options);
    if (status >= 200 && status < 300) return body;
    const problem = typeof body === 'object' ? (body as unknown as WireProblem) : null;
    throw new Refused(status, problem, headers, `${method} ${path}`);
  }
}

/**
 * The clients. Tasks are submitted at a fixed pace whatever becomes of the earlier ones, each under a key of its own, and again
 * under that key until the answer is a 2xx: on a broken connection, a timeout, 503, 429, and while an earlier request with the
 * key is still in flight. Some are sent in batches, some twice at once, some are cancelled midway. Any other answer is odd, and
 * no fault excuses it.
 */
import { setTimeout as pause } from 'node:timers/promises';
import { Client, type Answer } from '../support/client.js';
import type { WireBatch, WireProblem, WireTask } from '../support/wire.js';
import { clockMs } from './clock.js';
import type { Ledger } from './ledger.js';
import { keyOf, TENANTS, type PlannedTask } from './plan-tasks.js';
import { tokenFor } from './site.js';

const IN_FLIGHT_MAX = 200;
const TICK_MS = 10;
const ANSWER_MS = 5_000;
const RETRY_MS_MIN = 100;
const RETRY_MS_MAX = 1_000;
/** Answers that say "not now": `409` only while the key is in flight. */
const NOT_NOW = new Set(['503', '429', '409 idempotency-in-progress']);

export interface LoadOptions {
  readonly seed: number;
  readonly fronts: readonly string[];
  readonly ratePerSecond: number;
  readonly signal: AbortSignal;
}

export class Load {
  private readonly clients: ReadonlyMap<string, readonly Client[]>;
  private readonly cancelling = new Set<Promise<void>>();
  private turn = 0;

  constructor(
    private readonly ledger: Ledger,
    private readonly options: LoadOptions,
  ) {
    this.clients = new Map(TENANTS.map((tenant) => [tenant, options.fronts.map((front) => new Client(front, tokenFor(tenant)))]));
  }

  /** Resolves when every task is accepted and every cancel answered, or the signal fires. */
  async run(): Promise<void> {
    const startedAt = clockMs();
    const flying = new Set<Promise<void>>();
    for (const group of grouped(this.ledger.submissions.map(({ plan }) => plan))) {
      const dueAt = startedAt + ((group[0]?.n ?? 0) * 1_000) / this.options.ratePerSecond;
      while ((clockMs() < dueAt || flying.size >= IN_FLIGHT_MAX) && !this.options.signal.aborted) await pause(TICK_MS);
      const sending = this.submit(group).finally(() => flying.delete(sending));
      flying.add(sending);
    }
    await Promise.all(flying);
    await Promise.all(this.cancelling);
  }

  private async submit(group: readonly PlannedTask[]): Promise<void> {
    const left = group.length > 1 ? await this.sendBatch(group) : group;
    await Promise.all(left.flatMap((task) => (task.twice ? [this.send(task), this.send(task)] : [this.send(task)])));
    for (const task of group) {
      if (task.cancelAfterMs === null) continue;
      const cancelling = this.cancel(task, task.cancelAfterMs).finally(() => this.cancelling.delete(cancelling));
      this.cancelling.add(cancelling);
    }
  }

  /** Once; what it leaves open is sent singly under the same keys. */
  private async sendBatch(group: readonly PlannedTask[]): Promise<readonly PlannedTask[]> {
    const sentAt = clockMs();
    const tasks = group.map(({ n, body }) => ({ ...body, idempotencyKey: this.keyOf(n) }));
    const answer = await this.ask<WireBatch>(group[0], 'POST', '/api/tasks/batch', { tasks });
    if (answer?.status !== 201) return group;
    return group.filter(({ n }, index) => {
      const item = answer.body.items[index];
      if (item?.task === undefined) return true;
      this.ledger.accept(n, item.task.id, sentAt, clockMs());
      return false;
    });
  }

  private async send(task: PlannedTask): Promise<void> {
    await this.insist(async () => {
      const sentAt = clockMs();
      const answer = await this.ask<WireTask>(task, 'POST', '/api/tasks', task.body, { 'idempotency-key': this.keyOf(task.n) });
      if (answer === null) return false;
      this.ledger.accept(task.n, answer.body.id, sentAt, clockMs());
      return true;
    });
  }

  private async cancel(task: PlannedTask, afterMs: number): Promise<void> {
    await pause(afterMs);
    const submission = this.ledger.of(task.n);
    const [id] = submission.ids;
    if (id === undefined) return;
    await this.insist(async () => {
      const answer = await this.ask<WireTask>(task, 'POST', `/api/tasks/${id}/cancel`, undefined, {}, ['409 invalid-state']);
      if (answer === null) return false;
      submission.cancel = answer.status === 409 ? 'late' : answer.body.state === 'cancelled' ? 'ended' : 'asked';
      return true;
    });
  }

  private async insist(step: () => Promise<boolean>): Promise<void> {
    for (let wait = RETRY_MS_MIN; !this.options.signal.aborted; wait = Math.min(RETRY_MS_MAX, wait * 2)) {
      if (await step()) return;
      await pause(wait);
    }
  }

  /** The answer if it is a 2xx or one of `also`; null where one should ask again. The apis take turns. */
  private async ask<T>(
    task: PlannedTask | undefined,
    method: string,
    path: string,
    body: unknown,
    headers: Readonly<Record<string, string>> = {},
    also: readonly string[] = [],
  ): Promise<Answer<T> | null> {
    const clients = this.clients.get(task?.tenant ?? '') ?? [];
    this.turn += 1;
    const client = clients[this.turn % clients.length];
    if (client === undefined) throw new Error('there is no api to ask');
    let answer: Answer<T>;
    try {
      answer = await client.request<T>(method, path, { body, headers, timeoutMs: ANSWER_MS });
    } catch (error) {
      this.ledger.count(reasonOf(error));
      return null;
    }
    const code = answer.status < 300 ? '' : ` ${(answer.body as Partial<WireProblem> | null)?.code ?? 'without a code'}`;
    const name = `${answer.status}${code}`;
    this.ledger.count(name);
    if (answer.status < 300 || also.includes(name)) return answer;
    const isRefusal = !NOT_NOW.has(name) && !NOT_NOW.has(String(answer.status));
    const isMute = (answer.status === 503 || answer.status === 429) && !answer.headers.has('retry-after');
    if (isRefusal || isMute) {
      const what = `${method} ${path} was answered with ${name}${isMute ? ' without Retry-After' : ''}: ${JSON.stringify(answer.body).slice(0, 300)}`;
      this.ledger.odd.push({ at: clockMs(), n: task?.n ?? -1, what });
    }
    return null;
  }

  private keyOf(n: number): string {
    return keyOf(this.options.seed, n);
  }
}

/** Neighbours of one batch together, everything else alone, in the order of their numbers. */
function grouped(plan: readonly PlannedTask[]): PlannedTask[][] {
  const groups: PlannedTask[][] = [];
  for (const task of plan) {
    const last = groups.at(-1);
    if (task.batch !== null && last?.[0]?.batch === task.batch) last.push(task);
    else groups.push([task]);
  }
  return groups;
}

function reasonOf(error: unknown): string {
  const cause = error instanceof Error ? error.cause : undefined;
  const code = typeof cause === 'object' && cause !== null && 'code' in cause ? String(cause.code) : '';
  return code !== '' ? code : error instanceof Error ? error.name : 'error';
}

/**
 * Runs attempts inside an isolate, one at a time, as the worker orders. It also answers for errors that nobody caught: those of
 * the attempt under way end the isolate, and the attempt with it; those that an earlier attempt has left behind only say that
 * this isolate should not be used again.
 */
import { AsyncLocalStorage } from 'node:async_hooks';
import { describeFailure, RetryableError, serialiseResult, type FailureDescription, type HandlerDefinition } from '@app/handlers';
import { handlerLogger, makeContext } from '../attempt-context.js';
import type { StopReason } from '../classify.js';
import { activity, restedSince } from './activity.js';
import type { EndMarks } from './end-mark.js';
import type { Line } from './line.js';
import { MessageDesk } from './message-desk.js';
import { MessageLogger } from './message-logger.js';
import type { Order, RunOrder } from './messages.js';

type Outcome = { type: 'returned'; json: string } | { type: 'threw'; failure: FailureDescription };

export class AttemptRunner {
  private readonly origin = new AsyncLocalStorage<string>();
  private current: { key: string; abort: AbortController; desk: MessageDesk } | null = null;
  private soiled = false;

  constructor(
    private readonly line: Pick<Line, 'send'>,
    private readonly marks: Pick<EndMarks, 'isOpen' | 'sent' | 'write'>,
    private readonly handlers: ReadonlyMap<string, HandlerDefinition>,
    private readonly now: () => number,
  ) {}

  take(order: Order): void {
    if (order.type === 'run') void this.run(order);
    else if (this.current?.key !== order.key) return;
    else if (order.type === 'abort') this.current.abort.abort(stopped(order.reason));
    else this.current.desk.take(order);
  }

  /** An error that nobody caught. Returns whether the isolate is to end. */
  crashed(thrown: unknown): boolean {
    const current = this.current?.key ?? null;
    const key = this.origin.getStore() ?? current;
    this.line.send({ type: 'crashed', key, failure: describeFailure(thrown) });
    this.soiled = true;
    return current === null || key === current;
  }

  private async run(order: RunOrder): Promise<void> {
    const { key } = order;
    const before = activity();
    const abort = new AbortController();
    const desk = new MessageDesk(this.line, order);
    const logger = new MessageLogger(this.line, key, this.now);
    this.current = { key, abort, desk };
    const { context, end } = makeContext(order.task, {
      abort,
      deadline: new Date(order.deadline),
      logger: handlerLogger(logger),
      desk,
      inherited: order.inherited,
    });
    const handler = this.handlers.get(order.handler);
    const outcome = await this.origin.run(key, () => outcomeOf(handler, order, context));
    end();
    desk.close();
    logger.close();
    this.current = null;
    if (this.marks.isOpen) await this.marks.sent();
    const clean = (await restedSince(before)) && !this.soiled && this.marks.isOpen;
    this.line.send({ ...outcome, key, clean });
    if (clean) this.marks.write(key);
  }
}

async function outcomeOf(
  handler: HandlerDefinition | undefined,
  { handler: name, payload, resultBytesMax }: RunOrder,
  context: Parameters<HandlerDefinition['run']>[1],
): Promise<Outcome> {
  try {
    if (handler === undefined) throw moduleChanged(name);
    const result = serialiseResult(await handler.run(JSON.parse(payload) as unknown, context), resultBytesMax);
    if (result.ok) return { type: 'returned', json: result.json };
    const { code, message } = result;
    return { type: 'threw', failure: { permanent: true, retryAfterMs: null, deferMs: null, code, message } };
  } catch (error) {
    return { type: 'threw', failure: describeFailure(error) };
  }
}

function moduleChanged(name: string): RetryableError {
  const message = `The module no longer has a handler "${name}": it was changed after the worker started. Restart the worker.`;
  return new RetryableError({ message, code: 'isolate-not-started' });
}

function stopped(reason: StopReason): DOMException {
  return new DOMException(
    `The attempt was stopped: ${reason}.`,
    reason === 'timeout' || reason === 'deadline' ? 'TimeoutError' : 'AbortError',
  );
}

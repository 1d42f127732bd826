/**
 * What a handler is given besides its payload. Progress is written at most every quarter second; what comes faster replaces
 * what has not been written yet, so a handler may report as often as it likes.
 */
import type { HandlerLogger, TaskContext } from '@app/handlers';
import { pause } from '@app/lifecycle';
import type { ClaimedTask } from '@app/tasks';
import type { Logger } from '@app/telemetry';

const PROGRESS_EVERY_MS = 250;
const MESSAGE_LENGTH_MAX = 500;

export type WriteProgress = (fraction: number, message: string) => Promise<void>;

export interface ContextOptions {
  /** Tells the handler to stop. */
  signal: AbortSignal;
  /** Fires when the attempt is over, whatever the handler does. */
  ended: AbortSignal;
  deadline: Date;
  logger: Logger;
  write: WriteProgress;
}

export function makeContext(task: ClaimedTask, options: ContextOptions): TaskContext {
  return {
    id: task.id,
    name: task.name,
    queue: task.queue,
    tenant: task.tenant,
    attempt: task.attempt,
    failures: task.failures,
    // The same for every attempt of the task, so that a receiver that honours it applies an effect once.
    idempotencyToken: task.id,
    deadline: options.deadline,
    signal: options.signal,
    logger: handlerLogger(options.logger),
    progress: throttled(options),
  };
}

/** Writes the first report at once and then the latest one at most every quarter second. */
function throttled({ write, ended }: ContextOptions): TaskContext['progress'] {
  let resting = false;
  let latest: [number, string] | null = null;
  const rest = async (): Promise<void> => {
    resting = true;
    await pause(PROGRESS_EVERY_MS, ended);
    resting = false;
    if (latest === null || ended.aborted) return;
    const [fraction, message] = latest;
    latest = null;
    // A report is a courtesy; one that fails is followed by another, or by the outcome.
    await write(fraction, message).catch(() => undefined);
    await rest();
  };
  return async (fraction, message = '') => {
    if (!Number.isFinite(fraction) || fraction < 0 || fraction > 1) throw new RangeError('progress: the fraction must be between 0 and 1');
    const text = String(message).slice(0, MESSAGE_LENGTH_MAX);
    if (resting) {
      latest = [fraction, text];
      return;
    }
    void rest();
    await write(fraction, text);
  };
}

/** Handlers write a message first, like everybody else's loggers; ours wants the fields first. */
function handlerLogger(logger: Logger): HandlerLogger {
  return {
    debug: (message, fields = {}) => {
      logger.debug(fields, message);
    },
    info: (message, fields = {}) => {
      logger.info(fields, message);
    },
    warn: (message, fields = {}) => {
      logger.warn(fields, message);
    },
    error: (message, fields = {}) => {
      logger.error(fields, message);
    },
  };
}

/**
 * One attempt in an isolate, as the worker sees it: hand it over, answer what it asks, and make an ending of whatever becomes of
 * it. The ending is told when nothing of the attempt runs any more, so that there is no side effect after the recorded end: an
 * isolate that was told to stop, or whose handler has left something going, is ended first.
 */
import { describeFailure, RetryableError } from '@app/handlers';
import { pause, within } from '@app/lifecycle';
import type { ClaimedTask } from '@app/tasks';
import { runWithContext, type Logger } from '@app/telemetry';
import type { Ending } from '../classify.js';
import type { Desk, FoundResource } from '../desk.js';
import type { HandlerOrder } from '../held.js';
import { exitError } from './exit-error.js';
import { errorFrom } from './failures.js';
import type { Isolate, IsolateSpec, OutputLine } from './isolate.js';
import type { IsolatePool } from './isolate-pool.js';
import type { DeskAsk, RunOrder } from './messages.js';
import type { Heard } from './read-report.js';

/** The last polite request comes this long before the end, or at three quarters of a short grace. */
const WARNING_MS = 500;
const WARNING_SHARE = 0.25;
const LEASE_LOOK_MS = 20;
/** How long the last output of a handler is waited for before its isolate is ended instead of kept. */
const OUTPUT_MS = 500;

export interface RunOptions {
  pool: IsolatePool;
  spec: IsolateSpec;
  task: Pick<ClaimedTask, 'id' | 'attempt' | 'tenant'>;
  order: RunOrder;
  desk: Desk;
  /** Whether the worker's lease certainly holds at this very moment. */
  isLeased: () => boolean;
  /** How long the handler may take to stop, in ms. */
  graceMs: number;
  /** The same where the lease is in doubt: what runs must have ended when the lease does. */
  doubtGraceMs: number;
  logger: Logger;
}

interface Outcome {
  ending: Ending;
  /** Whether another attempt may run there. */
  clean: boolean;
}

const KILLED: Outcome = { ending: { kind: 'killed' }, clean: false };

export class IsolatedRun {
  /** Never rejects. */
  readonly ending: Promise<Ending>;
  /** Set before `ending` resolves, where the isolate could not be ended: it resolves when it is gone. */
  leftover: Promise<unknown> | null = null;
  private isolate: Isolate | null = null;
  private order: HandlerOrder | null = null;
  private readonly stopping = new AbortController();
  private readonly outcome: Promise<Outcome>;
  private tell!: (outcome: Outcome) => void;
  /** What comes from now on changes nothing. */
  private over = false;
  /** The isolate is somebody else's by now, or gone. */
  private ended = false;
  private readonly timers: NodeJS.Timeout[] = [];

  constructor(private readonly options: RunOptions) {
    this.outcome = new Promise((resolve) => {
      this.tell = resolve;
    });
    this.ending = this.run().finally(() => {
      this.leave();
    });
  }

  /** Tells the handler to stop, and ends it when its grace is over; at once where the lease is lost or nothing is asked of it any more. */
  stop(order: HandlerOrder): void {
    if (this.ended) return;
    const first = this.order === null;
    if (first || order === 'gone') this.order = order;
    if (order === 'gone' || order === 'broken') {
      this.kill();
      return;
    }
    if (first) {
      this.isolate?.send({ type: 'abort', key: this.options.order.key, reason: order });
      this.stopping.abort();
    }
    const { graceMs, doubtGraceMs, isLeased } = this.options;
    if (!isLeased()) this.endAfter(Math.min(graceMs, doubtGraceMs));
    else if (first) this.endAfter(graceMs);
  }

  private endAfter(ms: number): void {
    this.timers.push(
      setTimeout(() => this.isolate?.warn(), ms - Math.min(WARNING_MS, ms * WARNING_SHARE)),
      setTimeout(() => {
        this.kill();
      }, ms),
    );
  }

  /** The first outcome counts. */
  private decide(outcome: Outcome): void {
    this.over = true;
    this.tell(outcome);
  }

  private kill(): void {
    this.isolate?.kill();
    this.decide(KILLED);
    this.stopping.abort();
  }

  private leave(): void {
    this.ended = true;
    this.isolate = null;
    for (const timer of this.timers) clearTimeout(timer);
  }

  private async run(): Promise<Ending> {
    const { pool, spec, order } = this.options;
    let isolate: Isolate | null;
    try {
      isolate = await pool.acquire(spec, this.stopping.signal);
    } catch (thrown) {
      return { kind: 'threw', thrown };
    }
    if (isolate === null) return KILLED.ending;
    // A start takes a while. A worker that stood still meanwhile may have lost the task.
    while (!this.options.isLeased() && this.order === null) await pause(LEASE_LOOK_MS);
    if (this.order !== null) {
      pool.release(isolate);
      return KILLED.ending;
    }
    this.isolate = isolate;
    isolate.onReport = (report) => {
      this.inContext(() => {
        this.hearSafely(report);
      });
    };
    const { onOutput } = isolate;
    isolate.onOutput = (line) => {
      this.inContext(() => {
        this.show(line);
      });
    };
    void isolate.exited.then((exit) => {
      this.decide({ ending: { kind: 'threw', thrown: exitError(exit, spec) }, clean: false });
    });
    isolate.send(order);
    const { ending, clean } = await this.outcome;
    isolate.onReport = null;
    if (clean && (await this.isReadOut(isolate)) && this.order === null) {
      isolate.onOutput = onOutput;
      this.leave();
      pool.release(isolate);
    } else if (!(await pool.retire(isolate))) this.leftover = isolate.exited;
    return ending;
  }

  /** Whether all that the attempt has written was told as its own, so that none of it is taken for that of the next. */
  private isReadOut(isolate: Isolate): Promise<boolean> {
    const ended = Promise.race([isolate.outputEnded(this.options.order.key), isolate.exited]);
    return within(ended, OUTPUT_MS, 'reading the output of an attempt').then(
      () => true,
      () => false,
    );
  }

  /** An error here would end the worker, and come from the handler all the same. */
  private hearSafely(report: Heard): void {
    try {
      this.hear(report);
    } catch {
      this.crash('The handler sent its worker a message that is none of the platform: the channel is not for handlers.');
    }
  }

  private hear(report: Heard): void {
    if (this.over) return;
    if (report.type === 'unreadable') throw new TypeError('not a report');
    if (report.type === 'ready' || report.type === 'not-loaded') return;
    if (report.key !== this.options.order.key) {
      if (report.type === 'crashed') {
        this.options.logger.warn({ code: report.failure.code }, 'An error of an earlier attempt, which nobody caught, came late.');
      }
      return;
    }
    switch (report.type) {
      case 'asked':
        void this.answer(report.ask, report.wanted);
        return;
      case 'logged':
        this.options.logger[report.level](fieldsOf(report.fields), report.message);
        return;
      case 'returned':
        this.decide({ ending: endingOf(report.json), clean: report.clean });
        return;
      case 'threw':
        this.decide({ ending: { kind: 'threw', thrown: errorFrom(report.failure) }, clean: report.clean });
        return;
      case 'crashed':
        this.crash(`The handler left an error that nobody caught: ${report.failure.message}`);
        return;
    }
  }

  private crash(message: string): void {
    this.decide({ ending: { kind: 'threw', thrown: new RetryableError({ message, code: 'handler-crashed' }) }, clean: false });
  }

  private async answer(ask: number, wanted: DeskAsk): Promise<void> {
    const { key } = this.options.order;
    try {
      const found = await this.serve(wanted);
      this.isolate?.send({ type: 'answer', key, ask, found, failure: null });
    } catch (error) {
      this.isolate?.send({ type: 'answer', key, ask, found: null, failure: describeFailure(error) });
    }
  }

  private async serve(wanted: DeskAsk): Promise<FoundResource | null> {
    const { desk } = this.options;
    switch (wanted.what) {
      case 'progress':
        await desk.progress(wanted.fraction, wanted.message);
        return null;
      case 'checkpoint':
        await desk.checkpoint(JSON.parse(wanted.json) as unknown);
        return null;
      case 'register':
        return desk.register(wanted.kind, wanted.ref);
      case 'release':
        await desk.release(wanted.id);
        return null;
    }
  }

  private show({ stream, text }: OutputLine): void {
    this.options.logger[stream === 'stdout' ? 'info' : 'warn']({ stream, text }, 'The handler wrote a line.');
  }

  /** What an isolate says arrives in the context of whatever started it; it belongs to this attempt. */
  private inContext(work: () => void): void {
    const { task, order } = this.options;
    runWithContext({ taskId: task.id, attempt: task.attempt, tenant: task.tenant, handler: order.handler }, work);
  }
}

/** The size of the text was measured in the isolate, and is measured again where the value is stored. */
function endingOf(json: string): Ending {
  try {
    return { kind: 'returned', value: JSON.parse(json) as unknown };
  } catch (thrown) {
    return { kind: 'threw', thrown };
  }
}

function fieldsOf(text: string): Record<string, unknown> {
  const fields: unknown = JSON.parse(text);
  return typeof fields === 'object' && fields !== null ? (fields as Record<string, unknown>) : {};
}

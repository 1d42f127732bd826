/** An isolate that does nothing but what the test tells it to say. */
import type { Exit, Isolate, IsolateSpec } from '../../apps/server/worker/isolates/isolate.js';
import type { Order } from '../../apps/server/worker/isolates/messages.js';
import type { Heard } from '../../apps/server/worker/isolates/read-report.js';

export interface FakeIsolate extends Isolate {
  readonly orders: Order[];
  killed: boolean;
  warned: boolean;
  /** Whether it has ended. */
  ended: boolean;
  /** A kill does not end it, until `exit` is called. */
  survives: boolean;
  /** Whether what it wrote is read to its end; until it is, `outputEnded` does not resolve. */
  mute: boolean;
  report(report: Heard): void;
  exit(exit: Partial<Exit>): void;
}

export function fakeIsolate(spec: IsolateSpec): FakeIsolate {
  let leave!: (exit: Exit) => void;
  const isolate: FakeIsolate = {
    ...{ spec, onReport: null, onOutput: null, orders: [], killed: false, warned: false, ended: false, survives: false, mute: false },
    exited: new Promise((resolve) => {
      leave = resolve;
    }),
    send: (order) => void isolate.orders.push(order),
    outputEnded: () => (isolate.mute ? new Promise(() => undefined) : Promise.resolve()),
    warn: () => {
      isolate.warned = true;
    },
    kill: () => {
      isolate.killed = true;
      if (!isolate.survives) isolate.exit({ signal: 'SIGKILL' });
    },
    report: (report) => isolate.onReport?.(report),
    exit: (exit) => {
      isolate.ended = true;
      leave({ code: null, signal: null, outOfMemory: false, problem: null, ...exit });
    },
  };
  return isolate;
}

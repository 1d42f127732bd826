/** The isolate's end of its connection to the worker, over a message port in a thread and over the IPC channel in a process. */
import { parentPort } from 'node:worker_threads';
import type { Order, Report } from './messages.js';

export interface Line {
  send(report: Report): void;
  onOrder(take: (order: Order) => void): void;
}

export function openLine(): Line {
  if (parentPort !== null) {
    const port = parentPort;
    return {
      send: (report) => {
        port.postMessage(report);
      },
      onOrder: (take) => {
        port.on('message', take);
      },
    };
  }
  // Kept from the start, so that a handler that replaces it cuts off nobody but itself.
  const send = process.send?.bind(process);
  return {
    // A channel that is closed has no worker behind it any more: nobody is left to tell.
    send: (report) => send?.(report, undefined, undefined, () => undefined),
    onOrder: (take) => {
      process.on('message', take);
    },
  };
}

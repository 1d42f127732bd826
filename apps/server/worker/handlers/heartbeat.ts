/** Returns the time at which it ran: the scheduler submits one every minute to see that tasks get through. */
import { defineHandler, type HandlerDefinition } from '@app/handlers';
import type { Clock } from '@app/lifecycle';

export function heartbeat(clock: Clock): HandlerDefinition {
  return defineHandler({ name: 'heartbeat', run: () => ({ at: new Date(clock.now()).toISOString() }) });
}

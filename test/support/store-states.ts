/** Brings a task into a state by the moves that lead there, and by nothing else. */
import type { NewTask, TaskState, TaskView } from '@app/tasks';
import { OOPS, type Store } from './store.js';
import { until } from './until.js';

const HOUR_MS = 3_600_000;

export async function taskIn(store: Store, state: TaskState, options: Partial<NewTask> = {}): Promise<TaskView> {
  const worker = await store.hire();
  const { id, tenant } = await arrive();
  return store.reader.get(tenant, id);

  async function arrive(): Promise<TaskView> {
    switch (state) {
      case 'scheduled':
        return store.add({ delayMs: HOUR_MS, ...options });
      case 'queued':
        return store.add(options);
      case 'running': {
        const added = await store.add(options);
        await store.claim(worker, added.id);
        return added;
      }
      case 'retrying':
        return store.finish(worker, { kind: 'retry', delayMs: HOUR_MS, error: OOPS, timedOut: false }, options);
      case 'succeeded':
        return store.finish(worker, { kind: 'succeeded', result: '{"done":true}' }, options);
      case 'failed':
        return store.finish(worker, { kind: 'failed', reason: 'permanent_error', error: OOPS, timedOut: false }, options);
      case 'cancelled': {
        const added = await store.add(options);
        return store.canceller.cancel(added.tenant, added.id, 'someone');
      }
      case 'expired': {
        const added = await store.add({ expiresAt: Date.now() + HOUR_MS, ...options });
        await store.makeDue(added.id, 'expire');
        // Where tests make several at once, another expirer may hold the timer.
        await until(async () => {
          await store.expirer.expire('expire');
          return (await store.row(added.id)).state === 'expired';
        });
        return added;
      }
    }
  }
}

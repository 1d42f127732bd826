/** Sets limits as an operator does, and has the processes of a test know of them at once. */
import { LimitSetter, type LimitChange } from '@app/limits';
import type { Store } from './store.js';

const ROWS_MAX = 1_000;

export function setterOf(store: Store, rowsMax = ROWS_MAX): LimitSetter {
  return new LimitSetter(store.raw, store.ids, rowsMax);
}

export async function limit(store: Store, limits: LimitChange['limits'], { tenant = 'acme', queue = '' } = {}): Promise<void> {
  await setterOf(store).set({ tenant, queue, limits, actor: 'operator', actorTenant: 'platform', reason: 'a test' });
  await store.book.refresh();
}

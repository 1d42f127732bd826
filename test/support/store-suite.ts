/** A suite of the store: the same tests on every backend of the run, and after each one the tables are checked and emptied. */
import { afterAll, afterEach, beforeAll, describe, expect } from '@jest/globals';
import { backends, type Backend } from './backends.js';
import { openStore, type Store } from './store.js';

/** `body` gets a function that returns the store; it may only be called inside a test. */
export function onEveryStore(title: string, body: (current: () => Store, backend: Backend) => void): void {
  describe.each(backends())(`${title} on $name`, (backend) => {
    let store: Store;

    beforeAll(async () => {
      store = await openStore(backend);
    }, 30_000);

    afterEach(async () => {
      expect(await store.check()).toEqual({});
    });

    afterAll(async () => {
      await store.close();
    });

    body(() => store, backend);
  });
}

/**
 * Random histories of the store against a model that fits on a page or two. Every command makes the same move on both and then
 * the whole of both is compared, and at the end every task's timeline must be a life that a task can have. Where they differ,
 * fast-check finds a short history that shows it, and prints its seed.
 */
import { expect, it } from '@jest/globals';
import fc from 'fast-check';
import { onEveryStore } from '../../support/store-suite.js';
import { brokenRules } from '../../support/store-invariants.js';
import { COMMANDS } from '../../support/store-commands.js';
import { StoreModel } from '../../support/store-model.js';
import { modelRuns } from '../../support/model-runs.js';
import { impossible } from '../../support/timeline-law.js';

/** What a history may take on a slow and busy machine, in ms. */
const PER_RUN_MS = 5_000;

onEveryStore('any history of the store', (current, backend) => {
  const runs = modelRuns(backend.name === 'sqlite' ? 200 : 60);
  it(
    'equals that of the model',
    async () => {
      const store = current();
      await fc.assert(
        fc.asyncProperty(fc.commands(COMMANDS, { maxCommands: 100, size: 'max' }), async (history) => {
          await store.check();
          store.doorbell.window = 'open';
          const model = new StoreModel();
          await fc.asyncModelRun(() => ({ model, real: { store, claimed: new Map() } }), history);
          expect(await brokenRules(store.raw)).toEqual({});
          for (const { id, state } of model.tasks) {
            const { items } = await store.timeline.of('acme', id);
            expect([id, impossible(items, state)]).toEqual([id, null]);
          }
        }),
        runs,
      );
    },
    runs.numRuns * PER_RUN_MS + 60_000,
  );
});

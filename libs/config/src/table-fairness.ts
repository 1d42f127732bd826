/** Settings of how tenants share the workers. */
import { integer } from './setting.js';

export const FAIRNESS_SETTINGS = {
  DOORBELL_PATIENCE_MS: integer({
    roles: ['worker'],
    fallback: 250,
    min: 10,
    max: 60_000,
    unit: 'ms',
    doc: 'How long messages may wait at the door before a worker clears it, and its tasks are claimed in turns over the tenants instead of in the order of their arrival.',
  }),
} as const;

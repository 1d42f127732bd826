import 'reflect-metadata';
import { describe, expect, it } from '@jest/globals';
import fc from 'fast-check';
import { TaskRunnerError } from '@app/errors';
import { canonicalJson } from './idempotency.js';
import { readBatchTask, readNewTask } from './read-new-task.js';

const caller = { subject: 's', tenant: 't', scopes: new Set<never>(), credential: 'sub:s', tokenId: null };
const limits = { payloadMaxBytes: 1_000, assertFits: () => undefined };
const FIELDS = [
  'name',
  'payload',
  'queue',
  'priority',
  'runAt',
  'delayMs',
  'maxAttempts',
  'retry',
  'timeoutMs',
  'expiresAt',
  'deadlineMs',
  'tags',
  'metadata',
  'callback',
];

/** Anything JSON can say, under names that are mostly known. */
const value = fc.oneof(
  fc.jsonValue({ maxDepth: 3 }),
  fc.constantFrom('echo', 'default', '2030-01-01T00:00:00Z', 1, 0, ['a'], {}, { backoff: 'fixed', baseMs: 1 }, 2 ** 31, 'constructor'),
);
const body = fc.dictionary(fc.oneof({ weight: 9, arbitrary: fc.constantFrom(...FIELDS) }, { weight: 1, arbitrary: fc.string() }), value, {
  maxKeys: 8,
});

describe('readNewTask', () => {
  it('accepts or refuses anything, and never fails otherwise', () => {
    let accepted = 0;
    const mostlyNamed = fc.tuple(body, fc.boolean()).map(([fields, named]) => (named ? { ...fields, name: 'echo' } : fields));
    fc.assert(
      fc.property(fc.oneof({ weight: 9, arbitrary: mostlyNamed }, { weight: 1, arbitrary: fc.jsonValue() }), (input) => {
        for (const read of [() => readNewTask(input, 'key', caller, limits), () => readBatchTask(input, '/tasks/0', caller, limits)]) {
          try {
            const task = read();
            accepted += 1;
            expect(task).toMatchObject({ tenant: 't', createdBy: 's' });
            expect(canonicalJson(JSON.parse(task.payload))).toBe(canonicalJson((input as { payload?: unknown }).payload ?? null));
          } catch (error) {
            expect(error).toBeInstanceOf(TaskRunnerError);
          }
        }
      }),
      { numRuns: 1_500 },
    );
    expect(accepted).toBeGreaterThan(50);
  });

  it('takes one fingerprint from a single submission and from a batch', () => {
    const single = readNewTask({ name: 'echo', payload: { b: 1, a: [2] }, retry: { maxMs: 5, baseMs: 1 } }, 'k', caller, limits);
    const batch = readBatchTask(
      { retry: { baseMs: 1, maxMs: 5 }, payload: { a: [2], b: 1 }, idempotencyKey: 'k', name: 'echo' },
      '/tasks/7',
      caller,
      limits,
    );
    expect(batch.idempotency).toEqual(single.idempotency);
    const other = readNewTask({ name: 'echo', payload: { b: 1, a: [3] } }, 'k', caller, limits);
    expect(other.idempotency?.fingerprint).not.toEqual(single.idempotency?.fingerprint);
  });
});

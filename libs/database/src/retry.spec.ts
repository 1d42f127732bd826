import { describe, expect, it } from '@jest/globals';
import { NotFound } from '@app/errors';
import { DatabaseError, LockTimeout } from './failures.js';
import { retryTransient } from './retry.js';

const deadlock = (): Error => Object.assign(new Error('deadlock'), { errno: 1213 });
const atOnce = (): number => 0;

/** Work that fails with these errors, one after the other, and then succeeds. */
function failing(errors: unknown[]): { calls: () => number; work: () => Promise<string> } {
  let calls = 0;
  return {
    calls: () => calls,
    work: async () => {
      calls += 1;
      if (errors.length > 0) throw errors.shift();
      return 'done';
    },
  };
}

describe('work that loses a deadlock', () => {
  it('is started again, three times at most', async () => {
    const { calls, work } = failing([deadlock(), deadlock(), deadlock()]);
    expect(await retryTransient(work, atOnce)).toBe('done');
    expect(calls()).toBe(4);
  });

  it('ends as a lock timeout with the last error as its cause', async () => {
    const errors = [deadlock(), deadlock(), deadlock(), deadlock(), deadlock()];
    const fourth = errors[3];
    const { calls, work } = failing(errors);
    const failure: unknown = await retryTransient(work, atOnce).catch((error: unknown) => error);
    expect(failure).toBeInstanceOf(LockTimeout);
    expect(failure).toMatchObject({ cause: fourth });
    expect(calls()).toBe(4);
  });

  it('pauses by chance, so that the two sides do not meet again', async () => {
    let asked = 0;
    const { work } = failing([deadlock(), deadlock()]);
    await retryTransient(work, () => {
      asked += 1;
      return 0;
    });
    expect(asked).toBe(2);
  });
});

describe('work that fails for another reason', () => {
  it.each([
    ['a typed error', new NotFound(), NotFound],
    ['a refusal of the database', Object.assign(new Error('x'), { errno: 1062 }), DatabaseError],
  ])('(%s) is not started again', async (_what, error, kind) => {
    const { calls, work } = failing([error]);
    await expect(retryTransient(work, atOnce)).rejects.toThrow(kind);
    expect(calls()).toBe(1);
  });
});

import { describe, expect, it } from '@jest/globals';
import { DeferError, describeFailure, PermanentError, RetryableError } from '@app/handlers';
import { errorFrom } from './failures.js';

describe('errorFrom', () => {
  it.each([
    ['an ordinary error', new Error('broken')],
    ['one with a code', Object.assign(new Error('refused'), { code: 'ECONNREFUSED' })],
    ['a permanent one', new PermanentError('never', { code: 'hopeless' })],
    ['one with a pause', new RetryableError({ message: 'later', retryAfterMs: 5_000, code: 'busy' })],
    ['a text', 'broken'],
    ['nothing', undefined],
  ])('is understood like %s', (_, thrown) => {
    const described = describeFailure(thrown);
    expect(describeFailure(errorFrom(described))).toEqual(described);
  });

  it('puts off for as long', () => {
    expect(describeFailure(errorFrom(describeFailure(new DeferError(1_500)))).deferMs).toBe(1_500);
  });
});

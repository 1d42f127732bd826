import { inspect } from 'node:util';
import { describe, expect, it } from '@jest/globals';
import fc from 'fast-check';
import { describeFailure } from './describe-failure.js';
import { DeferError, PermanentError, RetryableError } from './thrown-errors.js';

const hostile = new Proxy(
  {},
  {
    get: () => {
      throw new Error('no');
    },
    getPrototypeOf: () => {
      throw new Error('no');
    },
  },
);
const revocable = Proxy.revocable({}, {});
revocable.revoke();

describe('describeFailure', () => {
  it('takes an ordinary error as one to be tried again', () => {
    expect(describeFailure(new TypeError('x is not a function'))).toEqual({
      permanent: false,
      retryAfterMs: null,
      deferMs: null,
      code: 'handler-error',
      message: 'x is not a function',
    });
  });

  it('knows PermanentError, with and without our class', () => {
    const own = Object.assign(new Error('no such customer'), { name: 'PermanentError', code: 'no-customer' });
    const expected = { permanent: true, retryAfterMs: null, deferMs: null, code: 'no-customer', message: 'no such customer' };
    expect(describeFailure(new PermanentError('no such customer', { code: 'no-customer' }))).toEqual(expected);
    expect(describeFailure(own)).toEqual(expected);
    expect(
      describeFailure(Object.assign(new Error('no such customer'), { retryable: false, code: 'no-customer', retryAfterMs: 5 })),
    ).toEqual(expected);
    class Derived extends PermanentError {}
    expect(describeFailure(new Derived('x')).permanent).toBe(true);
  });

  it('knows a requested pause, with and without our class', () => {
    expect(describeFailure(new RetryableError({ message: 'busy', retryAfterMs: 1_500, code: 'busy' }))).toEqual({
      permanent: false,
      retryAfterMs: 1_500,
      deferMs: null,
      code: 'busy',
      message: 'busy',
    });
    expect(describeFailure({ message: 'busy', retryAfterMs: 10 }).retryAfterMs).toBe(10);
    expect(describeFailure(new RetryableError())).toMatchObject({ permanent: false, retryAfterMs: null });
  });

  it('knows a task that is put off, with and without our class', () => {
    for (const pause of ['5s', -1, Number.NaN, undefined])
      expect(describeFailure(new DeferError(pause as number))).toMatchObject({
        deferMs: null,
        message: `The task cannot be put off by ${inspect(pause)}: ctx.snooze and DeferError take a number of ms, from 0 to 2592000000 (30 days).`,
      });
    expect(describeFailure(new DeferError(1_500))).toMatchObject({ permanent: false, deferMs: 1_500 });
    expect(describeFailure(Object.assign(new Error('later'), { name: 'DeferError', delayMs: 7 })).deferMs).toBe(7);
    expect(describeFailure(Object.assign(new Error('later'), { delayMs: 7 })).deferMs).toBeNull();
    expect(describeFailure(Object.assign(new DeferError(7), { retryable: false }))).toMatchObject({ permanent: true, deferMs: null });
  });

  it.each<[unknown, number | null]>([
    [0, 0],
    [0.2, 1],
    [Number.POSITIVE_INFINITY, 2_592_000_000],
    [-1, null],
    [Number.NaN, null],
    ['5', null],
    [5n, null],
  ])('bounds a requested pause: %p', (retryAfterMs, expected) => {
    expect(describeFailure({ retryAfterMs }).retryAfterMs).toBe(expected);
    expect(describeFailure({ name: 'DeferError', delayMs: retryAfterMs }).deferMs).toBe(expected);
  });

  it.each<[unknown, string]>([
    ['ECONNREFUSED', 'ECONNREFUSED'],
    ['no such thing!', 'no-such-thing'],
    ['../\u0000', '..'],
    ['', 'handler-error'],
    ['!!!', 'handler-error'],
    [20, 'handler-error'],
    [undefined, 'handler-error'],
  ])('keeps codes safe: %p', (code, expected) => {
    expect(describeFailure(Object.assign(new Error('x'), { code })).code).toBe(expected);
  });

  it.each<[string, unknown, string]>([
    ['undefined', undefined, 'The handler threw undefined.'],
    ['null', null, 'The handler threw null.'],
    ['a text', 'out of paper', 'out of paper'],
    ['an empty text', ' ', 'The handler threw an empty text.'],
    ['a BigInt', 12n, 'The handler threw 12.'],
    ['a symbol', Symbol('s'), 'The handler threw Symbol(s).'],
    ['an error without a message', new RangeError(), 'The handler threw RangeError without a message.'],
    ['an object', { a: 1 }, 'The handler threw an object without a message.'],
    ['an object whose getters throw', hostile, 'The handler threw an object without a message.'],
    ['a revoked proxy', revocable.proxy, 'The handler threw an object without a message.'],
    [
      'an object whose toString throws',
      {
        toString: () => {
          throw new Error('no');
        },
      },
      'The handler threw an object without a message.',
    ],
  ])('has words for %s', (_, thrown, message) => {
    expect(describeFailure(thrown)).toEqual({ permanent: false, retryAfterMs: null, deferMs: null, code: 'handler-error', message });
  });

  it('replaces control characters and halves of characters, and cuts long messages', () => {
    expect(describeFailure(new Error('a\r\nb\u0000\u2028c\ud800d')).message).toBe('a b c d');
    const long = describeFailure(new Error(`${'x'.repeat(1_999)}😀 and more`)).message;
    expect(long).toBe('x'.repeat(1_999));
  });

  it('describes anything within its bounds', () => {
    const thrown = fc.oneof(
      fc.anything(),
      fc.record({
        name: fc.anything(),
        message: fc.string({ maxLength: 3_000, unit: 'binary' }),
        code: fc.string(),
        retryAfterMs: fc.anything(),
      }),
    );
    fc.assert(
      fc.property(thrown, (value) => {
        const { code, message, retryAfterMs, deferMs } = describeFailure(value);
        expect(deferMs === null || (Number.isInteger(deferMs) && deferMs >= 0)).toBe(true);
        expect(code).toMatch(/^[A-Za-z0-9._:-]{1,64}$/);
        expect(message.length).toBeGreaterThan(0);
        expect(message.length).toBeLessThanOrEqual(2_000);
        expect(message).not.toMatch(/[\p{Cc}\p{Cs}]/u);
        expect(retryAfterMs === null || (Number.isInteger(retryAfterMs) && retryAfterMs >= 0)).toBe(true);
      }),
      { numRuns: 500 },
    );
  });
});

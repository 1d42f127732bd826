import { describe, expect, it } from '@jest/globals';
import { DuplicateHandler, InvalidHandler } from './boot-errors.js';
import { defineHandler } from './define-handler.js';
import type { TaskContext } from './definition.js';
import { HandlerRegistry } from './registry.js';

const run = (): null => null;
const context = {} as TaskContext;

describe('defineHandler', () => {
  it('returns the very definition', () => {
    const definition = { name: 'report.render', timeoutMs: 60_000, retry: { maxAttempts: 5, backoff: 'linear' as const }, run };
    expect(defineHandler(definition)).toBe(definition);
  });

  it('types payload and result', async () => {
    const double = defineHandler<{ n: number }, number>({ name: 'double', run: ({ n }) => n * 2 });
    expect(await double.run({ n: 21 }, context)).toBe(42);
  });

  it('names everything that is wrong at once', () => {
    const wrong = { name: 'no spaces', timeoutMs: 0, retry: { jitter: 2 }, timeout: 5, run };
    expect(() => defineHandler(wrong)).toThrow(InvalidHandler);
    expect(() => defineHandler(wrong)).toThrow(/"name".*"timeoutMs".*"retry\.jitter".*"timeout" is not a key/);
  });
});

describe('HandlerRegistry', () => {
  it('finds handlers by name and lists the names sorted', () => {
    const registry = new HandlerRegistry();
    registry.register({ name: 'b', run }, 'here');
    registry.register({ name: 'a', timeoutMs: 5, run }, 'here');
    expect(registry.names()).toEqual(['a', 'b']);
    expect(registry.get('a')).toMatchObject({ name: 'a', timeoutMs: 5 });
    expect(registry.has('b')).toBe(true);
    expect(registry.get('toString')).toBeUndefined();
    expect(registry.has('__proto__')).toBe(false);
  });

  it('refuses a second handler for a name, names both origins, and keeps the first', async () => {
    const registry = new HandlerRegistry();
    registry.register({ name: 'echo', run: () => 'first' }, 'the program itself');
    expect(() => registry.register({ name: 'echo', run: () => 'second' }, 'echo.mjs')).toThrow(DuplicateHandler);
    expect(() => registry.register({ name: 'echo', run }, 'echo.mjs')).toThrow(
      'Two handlers are named "echo": one from the program itself, one from echo.mjs. Rename or remove one of them.',
    );
    expect(await registry.get('echo')?.run(null, context)).toBe('first');
  });

  it('keeps a copy that nobody can change, with its own this', async () => {
    const retry = { maxAttempts: 2 };
    class Handler {
      name = 'counting';
      retry = retry;
      run(): number {
        return this.retry.maxAttempts;
      }
    }
    const registry = new HandlerRegistry();
    registry.register(new Handler(), 'here');
    retry.maxAttempts = 99;
    const registered = registry.get('counting');
    expect(registered?.retry?.maxAttempts).toBe(2);
    expect(Object.isFrozen(registered)).toBe(true);
    expect(Object.isFrozen(registered?.retry)).toBe(true);
    expect(await registered?.run(null, context)).toBe(99);
  });

  it.each<[string, unknown]>([
    ['nothing', undefined],
    ['null', null],
    ['a function', run],
    ['a list', [{ name: 'a', run }]],
    ['no name', { run }],
    ['an empty name', { name: '', run }],
    ['a name of 129 characters', { name: 'a'.repeat(129), run }],
    ['a name with a slash', { name: 'a/b', run }],
    ['a name with a line break at its end', { name: 'a\n', run }],
    ['no run', { name: 'a' }],
    ['a timeout of zero', { name: 'a', run, timeoutMs: 0 }],
    ['a timeout above 24 hours', { name: 'a', run, timeoutMs: 86_400_001 }],
    ['a broken timeout', { name: 'a', run, timeoutMs: 1.5 }],
    ['a timeout in text', { name: 'a', run, timeoutMs: '60000' }],
    ['a null timeout', { name: 'a', run, timeoutMs: null }],
    ['a misspelt key', { name: 'a', run, timeout: 1 }],
    ['retry as a number', { name: 'a', run, retry: 3 }],
    ['no attempts', { name: 'a', run, retry: { maxAttempts: 0 } }],
    ['too many attempts', { name: 'a', run, retry: { maxAttempts: 101 } }],
    ['an unknown backoff', { name: 'a', run, retry: { backoff: 'fibonacci' } }],
    ['a negative pause', { name: 'a', run, retry: { baseMs: -1 } }],
    ['an endless pause', { name: 'a', run, retry: { maxMs: Number.POSITIVE_INFINITY } }],
    ['a first pause above the longest', { name: 'a', run, retry: { baseMs: 2, maxMs: 1 } }],
    ['a jitter that is not a number', { name: 'a', run, retry: { jitter: Number.NaN } }],
    ['a misspelt retry key', { name: 'a', run, retry: { attempts: 3 } }],
  ])('refuses %s', (_, definition) => {
    expect(() => new HandlerRegistry().register(definition, 'bad.mjs')).toThrow(InvalidHandler);
    expect(() => new HandlerRegistry().register(definition, 'bad.mjs')).toThrow(/^The handler from bad\.mjs/);
  });
});

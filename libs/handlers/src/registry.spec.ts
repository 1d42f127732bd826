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

  it('keeps what an isolated handler asks for, and the module it comes from', () => {
    const registry = new HandlerRegistry();
    registry.register({ name: 'a', isolation: 'process', memoryMb: 64, run }, 'a.mjs', 'file:///handlers/a.mjs');
    registry.register({ name: 'b', run }, 'the program itself');
    expect(registry.get('a')).toMatchObject({ isolation: 'process', memoryMb: 64 });
    expect([registry.moduleOf('a'), registry.moduleOf('b'), registry.moduleOf('c')]).toEqual([
      'file:///handlers/a.mjs',
      undefined,
      undefined,
    ]);
  });

  it('refuses an isolated handler that comes from no module', () => {
    const register = (): void => new HandlerRegistry().register({ name: 'a', isolation: 'thread', run }, 'the program itself');
    expect(register).toThrow(InvalidHandler);
    expect(register).toThrow(/^The handler from the program itself \("a"\) cannot be used: "isolation" is for handlers .* HANDLERS_DIR/);
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

  const registryOf = (...definitions: { name: string; fallback?: string }[]): HandlerRegistry => {
    const registry = new HandlerRegistry();
    for (const definition of definitions) registry.register({ ...definition, run }, 'here');
    return registry;
  };

  it('finds who stands in for a handler, as far as the chain of fallbacks goes', () => {
    const registry = registryOf({ name: 'a', fallback: 'b' }, { name: 'b', fallback: 'c' }, { name: 'c' });
    registry.complete();
    expect([0, 1, 2, 3].map((fallbacks) => registry.standIn('a', fallbacks)?.name)).toEqual(['a', 'b', 'c', undefined]);
    expect([0, 1, 2].map((fallbacks) => registry.standIn('b', fallbacks)?.name)).toEqual(['b', 'c', undefined]);
    expect(registry.standIn('d', 0)).toBeUndefined();
    expect(registry.ways()).toEqual(['a', 'a>b', 'a>b>c', 'b', 'b>c', 'c']);
  });

  it.each<[string, { name: string; fallback?: string }[], RegExp]>([
    ['is unknown', [{ name: 'a', fallback: 'b' }], /"a".*no handler is named "b"/],
    ['is the handler itself', [{ name: 'a', fallback: 'a' }], /"a".*circle/],
    ['goes round', ['a', 'b', 'c'].map((name, index) => ({ name, fallback: 'bca'.charAt(index) })), /circle/],
    [
      'goes on for too long',
      ['1', '2', '3', '4', '5', '6', '7'].map((name) => (name === '7' ? { name } : { name, fallback: String(Number(name) + 1) })),
      /"1".*longer than 5/,
    ],
  ])('ends the boot where a fallback %s', (_, definitions, message) => {
    expect(() => {
      registryOf(...definitions).complete();
    }).toThrow(InvalidHandler);
    expect(() => {
      registryOf(...definitions).complete();
    }).toThrow(message);
  });

  it('takes a chain of five fallbacks', () => {
    const names = ['1', '2', '3', '4', '5', '6'];
    registryOf(...names.map((name) => (name === '6' ? { name } : { name, fallback: String(Number(name) + 1) }))).complete();
  });

  it('keeps the hook, with its own this', async () => {
    const gone: string[] = [];
    const definition = {
      name: 'a',
      gone,
      run,
      onAbandon({ ref }: { ref: string }) {
        this.gone.push(ref);
      },
    };
    const { gone: _own, ...bare } = definition;
    const handler = Object.assign(Object.create({ gone }) as object, bare);
    const registry = new HandlerRegistry();
    registry.register(handler, 'here');
    await registry.get('a')?.onAbandon?.({ taskId: 't', tenant: 'acme', kind: 'vm', ref: '7', tries: 0 }, {} as never);
    expect(gone).toEqual(['7']);
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
    ['a fallback without a name', { name: 'a', run, fallback: '' }],
    ['a hook that is no function', { name: 'a', run, onAbandon: 'later' }],
    ['an unknown isolation', { name: 'a', run, isolation: 'container' }],
    ['memory without isolation', { name: 'a', run, memoryMb: 64 }],
    ['too little memory', { name: 'a', run, isolation: 'thread', memoryMb: 15 }],
    ['a misspelt retry key', { name: 'a', run, retry: { attempts: 3 } }],
  ])('refuses %s', (_, definition) => {
    expect(() => new HandlerRegistry().register(definition, 'bad.mjs')).toThrow(InvalidHandler);
    expect(() => new HandlerRegistry().register(definition, 'bad.mjs')).toThrow(/^The handler from bad\.mjs/);
  });
});

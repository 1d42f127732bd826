/** What a handler registers outside of the system: its own while the task lasts, and then its hook's until that succeeds. */
import { beforeEach, expect, it } from '@jest/globals';
import { sql } from '@app/database';
import { pause } from '@app/lifecycle';
import { HandlerRegistry, type HandlerDefinition, type PermanentError } from '@app/handlers';
import type { Abandonment } from '../../../apps/server/worker/abandon.js';
import { HandlerBench } from '../../support/handler-bench.js';
import { onEveryStore } from '../../support/store-suite.js';
import { bytesOf } from '../../support/store.js';
import { until } from '../../support/until.js';

const ENV = { WORKER_ABORT_GRACE_MS: '100', ABANDON_TIMEOUT_MS: '200', RETRY_BASE_MS: '10' };

/** A look, and the end of everything that it began. */
async function lookWith(runner: Abandonment): Promise<void> {
  await runner.look();
  await runner.settled();
}

onEveryStore('a handler with resources', (current) => {
  let bench: HandlerBench;

  beforeEach(async () => {
    bench = await HandlerBench.set(current(), ENV);
  });

  it('may register only what its hook can let go of', async () => {
    bench.handle({ name: 'careless', run: (_payload, context) => context.registerResource('vm', '7').then(() => null) });
    const bad = [
      ['', '7'],
      ['v m', '7'],
      ['vm', ''],
      ['vm', 'x'.repeat(1_001)],
    ] as const;
    const codes: string[] = [];
    bench.handle({
      name: 'careful',
      onAbandon: () => undefined,
      async run(_payload, context) {
        for (const [kind, ref] of bad)
          await context.registerResource(kind, ref).catch((error: unknown) => codes.push((error as PermanentError).code ?? ''));
        return (await context.registerResource('vm', 'é'.repeat(1_000))).release();
      },
    });
    const careless = await bench.runAll({ name: 'careless' });
    expect(await current().reader.get('acme', careless)).toMatchObject({ state: 'failed', lastError: { code: 'no-abandon-hook' } });
    const careful = await bench.runAll({ name: 'careful' });
    expect(await current().reader.get('acme', careful)).toMatchObject({ state: 'succeeded' });
    expect(codes).toEqual(bad.map(() => 'invalid-resource'));
    expect(await current().count(sql`task_resources`)).toBe(0);
  });

  it('inherits what earlier attempts registered, and may release it', async () => {
    const held: string[][] = [];
    bench.handle({
      name: 'keeper',
      onAbandon: () => undefined,
      async run(_payload, context) {
        held.push(context.resources.map(({ kind, ref }) => `${kind} ${ref}`));
        await Promise.all(context.resources.map((resource) => resource.release()));
        if (context.attempt === 3) return;
        await context.registerResource('vm', String(context.attempt));
        throw new Error('once more');
      },
    });
    await bench.runAll({ name: 'keeper' });
    expect(held).toEqual([[], ['vm 1'], ['vm 2']]);
    expect(await current().count(sql`task_resources`)).toBe(0);
  });

  it('has its hook called by one worker at a time until it succeeds', async () => {
    const calls: number[] = [];
    let inside = 0;
    let most = 0;
    bench.handle({
      name: 'leaky',
      retry: { maxAttempts: 1 },
      async onAbandon({ tries, ref, kind, tenant }) {
        inside += 1;
        most = Math.max(most, inside);
        calls.push(tries);
        expect([kind, ref, tenant]).toEqual(['vm', '7', 'acme']);
        await new Promise((resolve) => setImmediate(resolve));
        inside -= 1;
        if (tries < 2) throw new Error('not yet');
      },
      async run(_payload, context) {
        await context.registerResource('vm', '7');
        throw new Error('no');
      },
    });
    await bench.runAll({ name: 'leaky' });
    const runners = [bench.abandonment(), bench.abandonment(), bench.abandonment()];
    const look = async (): Promise<void> => {
      await bench.makeResourcesDue();
      await Promise.all(runners.map(lookWith));
    };
    await look();
    expect(calls).toEqual([0]);
    const [row] = await current().raw.query<{ last_error: string }>(sql`SELECT last_error FROM task_resources`);
    expect(row).toEqual({ last_error: 'handler-error: not yet' });
    await look();
    await look();
    expect([calls, most]).toEqual([[0, 1, 2], 1]);
    expect(await current().count(sql`task_resources`)).toBe(0);
  });

  it('whose hook hangs is asked again later, whether or not it listens', async () => {
    let aborted = 0;
    const hanging = (name: string, listens: boolean): HandlerDefinition => ({
      name,
      onAbandon: (_resource, { signal }) =>
        new Promise<void>((_resolve, reject) => {
          signal.addEventListener('abort', () => {
            aborted += 1;
            if (listens) reject(new Error('stopped'));
          });
        }),
      run: (_payload, context) => context.registerResource('vm', name).then(() => null),
    });
    bench.handle(hanging('deaf', false));
    bench.handle(hanging('polite', true));
    await bench.runAll({ name: 'deaf' });
    await bench.runAll({ name: 'polite' });
    await bench.makeResourcesDue();
    await lookWith(bench.abandonment());
    expect(aborted).toBe(2);
    const rows = await current().raw.query<{ tries: number; last_error: string }>(sql`SELECT tries, last_error FROM task_resources`);
    expect(rows).toEqual(rows.map(() => ({ tries: 1, last_error: 'timeout: The hook ran longer than 200 ms.' })));
    expect(rows).toHaveLength(2);
  });

  it('whose hooks hang leaves room for those of others, however many it has', async () => {
    // None of them may time out while the others are begun.
    bench = await HandlerBench.set(current(), { ...ENV, ABANDON_TIMEOUT_MS: '60000' });
    let hanging = 0;
    const hung = Array.from({ length: 2 }, (_, index) => `hung-${index}`);
    for (const name of hung) {
      bench.handle({
        name,
        onAbandon: (_resource, { signal }) => {
          hanging += 1;
          return new Promise<void>((_resolve, reject) => {
            signal.addEventListener('abort', () => {
              reject(new Error('stopped'));
            });
          });
        },
        run: async (_payload, context) => {
          for (let index = 0; index < 40; index += 1) await context.registerResource('vm', String(index));
        },
      });
      await bench.runAll({ name });
    }
    let done = 0;
    bench.handle({
      name: 'quick',
      onAbandon: () => void (done += 1),
      run: (_payload, context) => context.registerResource('vm', '7').then(() => null),
    });
    await bench.runAll({ name: 'quick' });
    await bench.makeResourcesDue();
    await current().raw.execute(sql`UPDATE task_resources SET check_at = 2 WHERE handler = 'quick'`);
    const runner = bench.abandonment();
    while (await runner.look());
    await until(() => done === 1, { what: 'the hook of the other handler to be called' });
    expect(hanging).toBe(8);
    await runner.stop();
    expect(hanging).toBe(8);
  });

  it('has its hook called for all that it has left, without a pause between as many as run at once', async () => {
    bench = await HandlerBench.set(current(), { ...ENV, ABANDON_LOOK_MS: '3600000' });
    let done = 0;
    bench.handle({
      name: 'careless',
      // Longer than a look, so that the next one finds no room.
      onAbandon: async () => {
        await pause(20);
        done += 1;
      },
      run: async (_payload, context) => {
        for (let index = 0; index < 50; index += 1) await context.registerResource('vm', String(index));
      },
    });
    await bench.runAll({ name: 'careless' });
    await bench.makeResourcesDue();
    const runner = bench.abandonment();
    runner.start();
    await until(() => done === 50, { what: 'every hook to be called' });
    await runner.stop();
    expect(await current().count(sql`task_resources`)).toBe(0);
  });

  it('whose hook is stopped with its worker is offered to others at once', async () => {
    const runner = bench.abandonment();
    bench.handle({
      name: 'busy',
      onAbandon: (_resource, { signal }) =>
        new Promise<void>((_resolve, reject) => {
          signal.addEventListener('abort', () => {
            reject(new Error('stopped'));
          });
          void runner.stop();
        }),
      run: (_payload, context) => context.registerResource('vm', '7').then(() => null),
    });
    await bench.runAll({ name: 'busy' });
    await bench.makeResourcesDue();
    await lookWith(runner);
    expect((await current().abandoned.look(['busy'])).found).toMatchObject([{ tries: 1 }]);
  });

  it('that is gone from its process leaves the resource to workers that have it', async () => {
    bench.handle({
      name: 'moved',
      onAbandon: () => undefined,
      run: (_payload, context) => context.registerResource('vm', '7').then(() => null),
    });
    const id = await bench.runAll({ name: 'moved' });
    await bench.makeResourcesDue();
    const without = new HandlerRegistry();
    without.register({ name: 'moved', run: () => null }, 'the test');
    await lookWith(bench.abandonment(without));
    expect(await current().raw.query(sql`SELECT tries FROM task_resources WHERE task_id = ${bytesOf(id)}`)).toEqual([{ tries: 0 }]);
  });

  it('keeps its hook from running beside a suspect, and is company for one until the hook has ended', async () => {
    let end: () => void = () => undefined;
    let calls = 0;
    bench.handle({
      name: 'slow',
      onAbandon: () => {
        calls += 1;
        return new Promise<void>((resolve) => (end = resolve));
      },
      run: (_payload, context) => context.registerResource('vm', '7').then(() => null),
    });
    await bench.runAll({ name: 'slow' });
    await bench.makeResourcesDue();
    await bench.suspects.alone(() => lookWith(bench.abandonment()));
    expect(calls).toBe(0);
    expect(await current().raw.query(sql`SELECT tries FROM task_resources`)).toEqual([{ tries: 0 }]);
    // Its grace ends before it does.
    await lookWith(bench.abandonment());
    expect([calls, bench.suspects.hooks]).toEqual([1, 1]);
    end();
    await until(() => bench.suspects.hooks === 0, { what: 'the hook to have left' });
  });
});

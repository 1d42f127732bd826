/** A worker looks at a payload before its handler does: the api may not have known the schema, and a task may be older than it. */
import { describe, expect, it, jest } from '@jest/globals';
import { sql } from '@app/database';
import { HandlerBench } from '../../support/handler-bench.js';
import { bytesOf } from '../../support/store.js';
import { onEveryStore } from '../../support/store-suite.js';

const payloadSchema = { type: 'object', required: ['to'], properties: { to: { type: 'string' } } };

onEveryStore('a payload that does not fit', (current) => {
  it('fails its task for good before the handler is called, and says where', async () => {
    const store = current();
    const bench = await HandlerBench.set(store, {});
    const run = jest.fn(() => 'done');
    bench.handle({ name: 'strict', payloadSchema, run });
    const bad = await bench.runAll({ name: 'strict', payload: '{"to":5}' });
    expect(await store.reader.get('acme', bad)).toMatchObject({
      ...{ state: 'failed', reason: 'permanent_error', failures: 1 },
      lastError: { code: 'payload-invalid', message: 'The payload does not fit the schema of the handler: /to must be of type string.' },
    });
    expect(run).not.toHaveBeenCalled();
    const good = await bench.runAll({ name: 'strict', payload: '{"to":"me"}' });
    expect(await store.reader.get('acme', good)).toMatchObject({ state: 'succeeded', result: 'done' });
  });

  it.each([
    [
      'with a schema',
      { payloadSchema },
      { reason: 'permanent_error', lastError: { code: 'payload-invalid', message: 'The stored payload is no JSON.' } },
    ],
    ['without', {}, { lastError: { code: 'handler-error' } }],
  ])('fails as well where somebody has made it no JSON, %s', async (_what, more, ending) => {
    const store = current();
    const bench = await HandlerBench.set(store, {});
    const run = jest.fn(() => 'done');
    bench.handle({ name: 'strict', ...more, run });
    const { id } = await store.add({ name: 'strict', payload: '{}', maxAttempts: 1 });
    const written = (payload: string) => store.raw.execute(sql`UPDATE tasks SET payload = ${payload} WHERE id = ${bytesOf(id)}`);
    await written('{,');
    await bench.attempt(id);
    await written('{}');
    expect(await store.reader.get('acme', id)).toMatchObject({ state: 'failed', ...ending });
    expect(run).not.toHaveBeenCalled();
  });

  it('goes to the fallback, which has a schema of its own or none', async () => {
    const store = current();
    const bench = await HandlerBench.set(store, {});
    bench.handle({ name: 'strict', payloadSchema, fallback: 'lenient', run: () => 'strict' });
    bench.handle({ name: 'lenient', run: () => 'lenient' });
    bench.registry.complete();
    const id = await bench.runAll({ name: 'strict', payload: '[]' });
    expect(await store.reader.get('acme', id)).toMatchObject({ state: 'succeeded', result: 'lenient' });
  });
});

describe('the message', () => {
  it('is bounded however much is wrong', async () => {
    const { refusalOf } = await import('../../../apps/server/worker/run-handler.js');
    const key = 'k'.repeat(4_000);
    const payload = JSON.stringify(Object.fromEntries(Array.from({ length: 50 }, (_, index) => [`${key}${index}`, 1])));
    const ending = refusalOf({ name: 'a', payloadSchema: { additionalProperties: false }, run: () => null }, { payload } as Parameters<
      typeof refusalOf
    >[1]);
    expect(ending?.kind === 'threw' ? String(ending.thrown).length : 0).toBeLessThan(2_000);
  });
});

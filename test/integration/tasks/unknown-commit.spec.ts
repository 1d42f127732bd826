/** The connection died during COMMIT: the caller still learns the truth, and there is one row, whatever the truth was. */
import { expect, it } from '@jest/globals';
import { sql } from '@app/database';
import { Unavailable } from '@app/errors';
import { bytesOf, keyed, newTask, type Store } from '../../support/store.js';
import { onEveryStore } from '../../support/store-suite.js';
import { until } from '../../support/until.js';

const happenings: readonly (readonly [string, (store: Store) => void])[] = [
  [
    'that happened',
    (store) => {
      store.database.loseAnswer();
    },
  ],
  [
    'that did not happen',
    (store) => {
      store.database.loseCommit();
    },
  ],
  [
    'that happens late',
    (store) => {
      store.database.delayCommit();
    },
  ],
];

onEveryStore('a submission whose COMMIT is not answered', (current) => {
  it.each(happenings)('and %s: one row each, success, and a ring each', async (_what, accident) => {
    const store = current();
    accident(store);
    const answers = await store.submitter.submitMany([
      newTask({ name: 'a' }),
      newTask({ name: 'b' }),
      newTask({ name: 'c', delayMs: 60_000, deadlineMs: 90_000 }),
    ]);
    const views = answers.map((answer) => (answer.status === 'fulfilled' ? answer.value.task : null));
    expect(views.map((view) => [view?.name, view?.state])).toEqual([
      ['a', 'queued'],
      ['b', 'queued'],
      ['c', 'scheduled'],
    ]);
    expect(await store.count(sql`tasks`)).toBe(3);
    for (const view of views) expect(await store.reader.get('acme', view!.id)).toEqual(view);
    await until(() => store.doorbell.rung.length >= 2);
    expect([...store.doorbell.rung].sort()).toEqual(views.slice(0, 2).map((view) => bytesOf(view!.id).toString('hex')));
  });

  it.each(happenings)('and %s, with keys: one row each, and no replay for the one who made it', async (_what, accident) => {
    const store = current();
    const earlier = await store.add({ idempotency: keyed('earlier') });
    accident(store);
    const answers = await store.submitter.submitMany([
      newTask({ idempotency: keyed('k') }),
      newTask({ idempotency: keyed('earlier') }),
      newTask({ idempotency: keyed('earlier', 'another body') }),
      newTask({ idempotency: keyed('k') }),
      newTask(),
    ]);
    expect(
      answers.map((answer) => (answer.status === 'fulfilled' ? answer.value.replayed : (answer.reason as { code: string }).code)),
    ).toEqual([false, true, 'idempotency-key-reused', true, false]);
    expect(answers[1]).toMatchObject({ value: { task: { id: earlier.id } } });
    expect(answers[3]).toMatchObject({ value: { task: { id: (answers[0] as { value: { task: { id: string } } }).value.task.id } } });
    expect(await store.count(sql`tasks`)).toBe(3);
    expect(await store.count(sql`idempotency_keys`)).toBe(2);
  });

  it('twice in a row tells the caller that it is unknown, and still makes no second row', async () => {
    const store = current();
    store.database.loseCommit();
    store.database.loseAnswer();
    await expect(store.add({ idempotency: keyed('k') })).rejects.toBeInstanceOf(Unavailable);
    expect(await store.submitter.submit(newTask({ idempotency: keyed('k') }))).toMatchObject({ replayed: true });
    expect(await store.count(sql`tasks`)).toBe(1);
  });

  it('and cannot be looked up either tells the caller that it is unknown', async () => {
    const store = current();
    store.database.loseAnswer();
    store.database.beAway(1, ['query']);
    await expect(store.add()).rejects.toBeInstanceOf(Unavailable);
    expect(await store.count(sql`tasks`)).toBe(1);
  });

  it('lets a row that the database refuses fail alone when the group is repeated', async () => {
    const store = current();
    store.database.loseCommit();
    const broken = newTask({ name: 'x'.repeat(129), timeoutMs: 2 ** 70 });
    const answers = await store.submitter.submitMany([newTask({ name: 'a' }), broken, newTask({ name: 'b' })]);
    expect(answers.map(({ status }) => status)).toEqual(['fulfilled', 'rejected', 'fulfilled']);
    expect(await store.count(sql`tasks`)).toBe(2);
    await until(() => store.doorbell.rung.length >= 2);
    expect(store.doorbell.rung).toHaveLength(2);
  });
});

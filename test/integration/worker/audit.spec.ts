/** Tasks that the register says a worker runs, and that nobody there runs: which of them go back, and when not. */
import { afterEach, beforeEach, expect, it } from '@jest/globals';
import { sql } from '@app/database';
import { Loops } from '@app/lifecycle';
import { Audit } from '../../../apps/server/worker/audit.js';
import { IntakeBench } from '../../support/intake-bench.js';
import { onEveryStore } from '../../support/store-suite.js';
import { bytesOf } from '../../support/store.js';
import { until } from '../../support/until.js';

onEveryStore('the audit', (current) => {
  let bench: IntakeBench;
  let lease: IntakeBench['lease'];
  let executor: IntakeBench['executor'];
  let intake: IntakeBench['intake'];
  let runs: IntakeBench['runs'];

  beforeEach(async () => {
    bench = await IntakeBench.set(current());
    ({ lease, executor, intake, runs } = bench);
  });

  afterEach(() => bench.end());

  const auditOf = (): Audit =>
    new Audit(bench.config, lease, executor, intake, current().claimer, new Loops(), current().clock, bench.logger);

  const look = (audit: Audit): Promise<void> => audit.look(new AbortController().signal);

  /** A task that the register says this worker runs, that nobody runs, and that the audit has missed at one look. */
  async function missedOnce(): Promise<{ id: string; audit: Audit }> {
    const [task] = await current().addMany(1);
    const id = task?.id ?? '';
    await current().claimer.claim(lease.id, [bytesOf(id)]);
    const audit = auditOf();
    await look(audit);
    return { id, audit };
  }

  /** Its give-back has been tried once, with the database away, and is on its way. */
  async function onItsWayBack(): Promise<string> {
    const { id, audit } = await missedOnce();
    current().database.beAway(1, ['transaction']);
    await look(audit);
    await until(() => current().database.ordered === 0, { what: 'it to be tried' });
    return id;
  }

  it('gives back nothing of a claim whose answer is lost, however often it looks', async () => {
    const store = current();
    const ids = (await store.addMany(3, { name: 'gated' })).map(({ id }) => id);
    const audit = auditOf();
    store.database.loseAnswer(['batch']);
    const taking = bench.take(ids);
    await until(async () => (await store.count(sql`tasks WHERE state = 'running'`)) === 3, { what: 'the claim to be committed' });
    await Promise.all([look(audit), look(audit), look(audit), taking]);
    for (const id of ids) expect(await store.row(id)).toMatchObject({ state: 'running', attempt: 1 });
    expect(executor.count).toBe(3);
    bench.release();
    await bench.succeeded(ids);
    expect(runs.sort()).toEqual([...ids].sort());
    for (const id of ids) expect((await store.row(id))['attempt']).toBe(1);
  });

  it('does not begin what is on its way back', async () => {
    const store = current();
    const id = await onItsWayBack();
    expect(executor.count).toBe(1);
    await bench.take([id]);
    expect(runs).toEqual([]);
    await until(() => executor.count === 0, { what: 'it to be given back' });
    expect(await store.row(id)).toMatchObject({ state: 'queued', attempt: 1 });
    await bench.take([id]);
    await bench.succeeded([id]);
    expect(runs).toEqual([id]);
  });

  it('names what it could not give back in time when its worker is asked what it held', async () => {
    const store = current();
    const id = await onItsWayBack();
    await store.bury(lease.id);
    await store.sweeper.takeBack();
    expect(await store.row(id)).toMatchObject({ state: 'queued', crashes: 1 });
    await until(() => executor.count === 0, { what: 'it to be fenced' });
    await store.workers.survive(lease.id, executor.takeHeld());
    expect(await store.row(id)).toMatchObject({ state: 'queued', crashes: 0 });
  });

  it('gives back nothing under a name that is lost by the time its turn has come, nor when it is to stop', async () => {
    const store = current();
    const { id, audit } = await missedOnce();
    await audit.look(AbortSignal.abort());
    const before = lease.id;
    let looking = Promise.resolve();
    await intake.oneAtATime(() => {
      looking = look(audit);
      lease.id = store.ids.next();
      return Promise.resolve();
    });
    await looking;
    expect(executor.count).toBe(0);
    lease.id = before;
    expect(await store.row(id)).toMatchObject({ state: 'running', attempt: 1 });
    await look(audit);
    await until(async () => (await store.row(id))['state'] === 'queued', { what: 'it to be given back' });
  });

  it('gives back what the register says it runs and it does not, at the second look', async () => {
    const store = current();
    const [lost, held] = [(await store.addMany(1))[0]?.id ?? '', (await store.addMany(1, { name: 'gated' }))[0]?.id ?? ''];
    const audit = auditOf();
    await store.claim(lease.id, lost);
    await bench.take([held]);
    await look(audit);
    expect(await store.row(lost)).toMatchObject({ state: 'running' });
    await look(audit);
    await until(() => executor.count === 1, { what: 'it to be given back' });
    expect(await store.row(lost)).toMatchObject({ state: 'queued', crashes: 0, failures: 0 });
    expect(await store.row(held)).toMatchObject({ state: 'running' });
    await store.raw.execute(sql`DELETE FROM attempts WHERE task_id = ${bytesOf(lost)}`);
    await store.raw.execute(sql`DELETE FROM tasks WHERE id = ${bytesOf(lost)}`);
    await store.recount();
  });
});

/**
 * An installation whose processes live in one time zone and whose database server in another: no hour is lost or gained on the way
 * from a request to a column and back (TRX-9).
 */
import { afterAll, describe, expect, it } from '@jest/globals';
import { backends, newDatabase, type Backend } from '../support/backends.js';
import { useFleet } from '../support/fleet.js';
import { Installation } from '../support/installation.js';
import { Journal } from '../support/journal.js';
import { removeDirectory, temporaryDirectory } from '../support/reaper.js';
import { canStartMariaDb, startMariaDb } from '../support/servers/private.js';
import { ask } from '../support/tables.js';

const HOUR_MS = 3_600_000;
/** Seven hours ahead and nine and a half behind: any mixture of the two and UTC is hours off. */
const PROCESS_ZONE = 'Asia/Ho_Chi_Minh';
const SERVER_ZONE = '-09:30';

/** A server of this test's own, because the zone belongs to the server as a whole. */
async function elsewhere(backend: Backend): Promise<Record<string, string>> {
  const redis = backend.redisUrl();
  if (redis === null) return backend.environment();
  const server = await startMariaDb();
  const url = await newDatabase(server.url);
  await ask(url, `SET GLOBAL time_zone = '${SERVER_ZONE}'`);
  return { DATABASE_URL: url, REDIS_URL: redis.url, REDIS_KEY_PREFIX: redis.prefix };
}

/** As somebody in the zone of the processes would write it. */
const inHanoi = (ms: number): string => new Date(ms + 7 * HOUR_MS).toISOString().replace('Z', '+07:00');
const inUtc = (ms: number): string => new Date(ms).toISOString();

describe.each(backends().filter(({ name }) => name === 'sqlite' || canStartMariaDb()))('time zones on $name', (backend) => {
  const fleet = useFleet();
  const directory = temporaryDirectory('zones');
  const journal = new Journal(directory);
  afterAll(() => {
    removeDirectory(directory);
  });

  it('make no difference to when a task runs, expires, is listed and is said to have run (TRX-9)', async () => {
    const addresses = await elsewhere(backend);
    const env = { TZ: PROCESS_ZONE };
    const installation = await Installation.start({ fleet, backend, handlersDir: journal.handlersDir, workers: 1, env, addresses });
    const client = installation.client();
    const now = Date.now();

    const late = await client.submit({ name: 'counted.echo', runAt: inHanoi(now + HOUR_MS) });
    expect(late).toMatchObject({ state: 'scheduled', runAt: inUtc(now + HOUR_MS) });
    const due = await client.submit({
      name: 'counted.echo',
      runAt: inHanoi(now - HOUR_MS),
      expiresAt: inHanoi(now + HOUR_MS),
      deadlineMs: HOUR_MS,
    });
    expect(due).toMatchObject({ runAt: inUtc(now - HOUR_MS), expiresAt: inUtc(now + HOUR_MS) });
    const done = await client.finished(due.id);
    expect(done.state).toBe('succeeded');
    const retried = await client.finished((await client.submit({ name: 'counted.echo', delayMs: 1_000 })).id);
    expect(retried.state).toBe('succeeded');
    expect((await client.get(late.id)).state).toBe('scheduled');

    for (const task of [done, retried]) {
      const times = [task.createdAt, task.startedAt, task.finishedAt].map(String);
      for (const time of times) {
        expect(time).toMatch(/^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}Z$/);
        expect(Math.abs(Date.parse(time) - now)).toBeLessThan(HOUR_MS / 2);
      }
      expect(times).toEqual([...times].sort());
    }
    const [attempt] = await client.attempts(done.id);
    expect([attempt?.startedAt, attempt?.finishedAt].map((time) => Math.abs(Date.parse(String(time)) - now) < HOUR_MS / 2)).toEqual([
      true,
      true,
    ]);
    const { body } = await client.request<{ items: { at: string; kind: string; detail?: { lateMs?: number } }[] }>(
      'GET',
      `/api/tasks/${retried.id}/timeline`,
    );
    expect(body.items.map(({ kind }) => kind)).toEqual(['submitted', 'promoted', 'started', 'ended', 'finished']);
    for (const { at } of body.items) expect(Math.abs(Date.parse(at) - now)).toBeLessThan(HOUR_MS / 2);
    expect(body.items[1]?.detail?.lateMs).toBeLessThan(HOUR_MS / 2);

    const listed = async (after: number, before: number): Promise<number> =>
      (await client.listAll({ name: 'counted.echo', createdAfter: inHanoi(after), createdBefore: inUtc(before) })).length;
    expect(await listed(now - HOUR_MS / 2, now + HOUR_MS / 2)).toBe(3);
    expect(await listed(now + HOUR_MS / 2, now + 24 * HOUR_MS)).toBe(0);
    expect(await listed(now - 24 * HOUR_MS, now - HOUR_MS / 2)).toBe(0);
  }, 90_000);
});

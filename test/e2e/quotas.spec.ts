/** A quota over processes of their own: two apis on one database let in what fits, and not one more, whoever of them is asked. */
import { beforeAll, expect, it } from '@jest/globals';
import { Client, type Refused } from '../support/client.js';
import { useFleet } from '../support/fleet.js';
import { migrateWith } from '../support/migrate.js';
import { onServers } from '../support/on-servers.js';
import { signToken, TEST_SECRET } from '../support/token.js';

const LIMIT = 10;

onServers('two apis on one database', (backend) => {
  const fleet = useFleet();
  let clients: Client[];
  beforeAll(async () => {
    const env = {
      ...(await backend.environment()),
      ROLE: 'api',
      AUTH_JWT_SECRET: TEST_SECRET,
      LOG_FORMAT: 'json',
      OVERLOAD_LOOP_DELAY_MS: '20000',
      OVERLOAD_POOL_WAIT_MS: '60000',
      LIMIT_TASKS_QUEUED: String(LIMIT),
    };
    await migrateWith(env);
    const apps = await Promise.all([fleet.start({ env }), fleet.start({ env })]);
    clients = apps.map(({ url }) => new Client(url, signToken()));
  }, 60_000);

  it('accept exactly one of 200 parallel submissions at one below the quota, and refuse the others by its name', async () => {
    const added = await clients[0]!.submitBatch(Array.from({ length: LIMIT - 1 }, () => ({ name: 'echo' })));
    expect(added.items.map(({ status }) => status)).toEqual(Array.from({ length: LIMIT - 1 }, () => 201));
    const answers = await Promise.allSettled(
      Array.from({ length: 200 }, (_, index) => clients[index % clients.length]!.submit({ name: 'echo' })),
    );
    expect(answers.filter(({ status }) => status === 'fulfilled')).toHaveLength(1);
    const refusals = answers.flatMap((answer) => (answer.status === 'rejected' ? [answer.reason as Refused] : []));
    expect(new Set(refusals.map(({ status, problem }) => `${status} ${problem?.code}`))).toEqual(new Set(['429 quota-exceeded']));
    expect((await clients[1]!.listAll()).map(({ state }) => state)).toEqual(Array.from({ length: LIMIT }, () => 'queued'));
  });

  it('let in one more through either of them when one has ended', async () => {
    for (const [asked, other] of [clients, [...clients].reverse()]) {
      const [first] = await other!.listAll({ state: 'queued' });
      await other!.cancel(first!.id);
      await asked!.submit({ name: 'echo' });
      await expect(asked!.submit({ name: 'echo' })).rejects.toMatchObject({ status: 429 });
    }
  });
});

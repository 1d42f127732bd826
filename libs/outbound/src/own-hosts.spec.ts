/** The hosts of this service: its machine, its database, its Redis, however they are named. */
import { networkInterfaces } from 'node:os';
import { afterAll, beforeAll, describe, expect, it } from '@jest/globals';
import { loadConfig, type Environment } from '@app/config';
import { HookServer } from '../../../test/support/hook-server.js';
import { OutboundClient } from './outbound-client.js';
import { OwnHosts } from './own-hosts.js';

const SECRET = 'x'.repeat(32);
const limits = { method: 'GET', timeoutMs: 5_000, maxResponseBytes: 100 } as const;

describe('a host of our own', () => {
  let server: HookServer;
  let now = 0;
  const clock = { now: () => 0, monotonic: () => now };

  beforeAll(async () => {
    server = await HookServer.http('127.0.0.2');
  });
  afterAll(() => server.close());

  /** `leads` is where names lead, for the drivers and for the client. */
  function clientOf(env: Environment, leads: Record<string, string>) {
    const config = loadConfig({
      OUTBOUND_HTTP: 'allow',
      OUTBOUND_PORTS: `${server.port},3306,6379`,
      DATABASE_URL: 'mysql://u:p@db.example.com/tasks',
      REDIS_URL: 'redis://redis.example.com,redis://[fd00::7]:7000',
      AUTH_JWT_SECRET: SECRET,
      ...env,
    });
    const lookUps: string[] = [];
    const own = new OwnHosts(config, clock, (name) => {
      lookUps.push(name);
      const address = leads[name];
      return address === undefined ? Promise.reject(new Error('ENOTFOUND')) : Promise.resolve([address]);
    });
    const client = new OutboundClient(config, own, (name) => Promise.resolve([leads[name] ?? '93.184.215.14']));
    return { lookUps, ask: (host: string, port = server.port) => client.request({ url: `http://${host}:${port}/`, ...limits }) };
  }

  it('is refused by its name', async () => {
    const { ask } = clientOf({}, {});
    await expect(ask('db.example.com')).rejects.toMatchObject({ code: 'url-not-allowed' });
    await expect(ask('REDIS.example.com', 80)).rejects.toMatchObject({ code: 'url-not-allowed' });
  });

  it('is blocked under any other name, and in a network that is listed', async () => {
    const { ask } = clientOf(
      { OUTBOUND_ALLOW: '127.0.0.0/8,fd00::/8' },
      { 'db.example.com': '127.0.0.2', 'alias.example.com': '127.0.0.2' },
    );
    await expect(ask('alias.example.com')).rejects.toMatchObject({ reason: 'blocked-address' });
    await expect(ask('127.0.0.2')).rejects.toMatchObject({ reason: 'blocked-address' });
    await expect(ask('[fd00:0::7]')).rejects.toMatchObject({ code: 'url-not-allowed' });
    expect(server.connections).toBe(0);
  });

  it('is blocked where it is this machine', async () => {
    const { ask } = clientOf({ OUTBOUND_ALLOW: '0.0.0.0/0' }, {});
    const mine = Object.values(networkInterfaces()).flatMap((some) => some ?? []);
    const addresses = mine.filter(({ family }) => family === 'IPv4').map(({ address }) => address);
    expect(addresses).toContain('127.0.0.1');
    for (const address of addresses) await expect(ask(address)).rejects.toMatchObject({ reason: 'blocked-address' });
  });

  it('is reached only where exactly it is listed, and never on a port of ours', async () => {
    const leads = { 'db.example.com': '127.0.0.2', 'redis.example.com': '127.0.0.2' };
    const { ask } = clientOf({ OUTBOUND_ALLOW: '127.0.0.2,db.example.com' }, leads);
    expect(await ask('127.0.0.2')).toMatchObject({ status: 200 });
    expect(await ask('db.example.com')).toMatchObject({ status: 200 });
    for (const port of [3_306, 6_379]) {
      await expect(ask('127.0.0.2', port)).rejects.toMatchObject({ reason: 'blocked-address' });
      await expect(ask('db.example.com', port)).rejects.toMatchObject({ code: 'url-not-allowed' });
    }
  });

  it('is looked up again after half a minute, and remembered while it cannot be', async () => {
    now = 0;
    const leads: Record<string, string> = { 'db.example.com': '127.0.0.9' };
    const { ask, lookUps } = clientOf({ OUTBOUND_ALLOW: '127.0.0.0/8' }, leads);
    expect(await ask('127.0.0.2')).toMatchObject({ status: 200 });
    leads['db.example.com'] = '127.0.0.2';
    expect(await ask('127.0.0.2')).toMatchObject({ status: 200 });
    expect(lookUps).toEqual(['db.example.com', 'redis.example.com']);
    now = 30_000;
    await expect(ask('127.0.0.2')).rejects.toMatchObject({ reason: 'blocked-address' });
    delete leads['db.example.com'];
    now = 60_000;
    await expect(ask('127.0.0.2')).rejects.toMatchObject({ reason: 'blocked-address' });
    expect(lookUps).toHaveLength(6);
  });
});

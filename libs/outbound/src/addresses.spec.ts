/** Which addresses a name may have. Listeners stand at the addresses that must not be reached, and count. */
import { afterAll, beforeAll, describe, expect, it } from '@jest/globals';
import type { Environment } from '@app/config';
import { HookServer } from '../../../test/support/hook-server.js';
import { clientWith } from '../../../test/support/outbound-client.js';

const PUBLIC = '93.184.215.14';
const NAME = 'hooks.example.com';

describe('the addresses of a name', () => {
  /** Stands for the public internet: an address that the operator has listed. */
  let outside: HookServer;
  /** Stands for the inside, on the same port. */
  let inside: HookServer;
  let env: Environment;

  beforeAll(async () => {
    outside = await HookServer.http('127.0.0.2');
    inside = await HookServer.http('127.0.0.3', undefined, undefined, outside.port);
    env = { OUTBOUND_HTTP: 'allow', OUTBOUND_PORTS: String(outside.port), OUTBOUND_ALLOW: '127.0.0.2' };
  });
  afterAll(async () => {
    expect(inside.connections).toBe(0);
    await Promise.all([outside.close(), inside.close()]);
  });

  const url = (host: string): string => `http://${host}:${outside.port}/`;
  const limits = { method: 'GET', timeoutMs: 5_000, maxResponseBytes: 100 } as const;

  it('are connected to where all of them may be', async () => {
    const { client } = clientWith(env, { [NAME]: [['127.0.0.2']] });
    expect(await client.request({ url: url(NAME), ...limits })).toMatchObject({ status: 200, body: Buffer.from('ok') });
    expect(outside.seen.at(-1)).toMatchObject({ headers: { host: `${NAME}:${outside.port}` } });
  });

  it.each([
    ['a private one', ['10.0.0.5']],
    ['the loopback one', ['127.0.0.3']],
    ['that of a metadata service', ['169.254.169.254']],
    ['a public one and a private one', [PUBLIC, '127.0.0.3']],
    ['a public one and a private one of IPv6', [PUBLIC, '::1']],
    ['a public one and a unique local one', [PUBLIC, 'fd00::1']],
    ['one that is listed and one that is not', ['127.0.0.2', '127.0.0.3']],
    ['IPv4 in the disguise of IPv6', ['::ffff:127.0.0.3']],
    ['IPv4 in the disguise of IPv6 that is listed without it', ['::ffff:127.0.0.2']],
    ['IPv4 behind NAT64', ['64:ff9b::7f00:3']],
    ['IPv4 behind 6to4', ['2002:7f00:3::1']],
    ['one with a zone', ['fe80::1%lo']],
    ['no address', ['localhost']],
  ])('block the request where there is %s among them', async (_, addresses) => {
    const { client } = clientWith(env, { [NAME]: [addresses] });
    const error: unknown = await client.request({ url: url(NAME), ...limits }).catch((e: unknown) => e);
    expect(error).toMatchObject({ code: 'outbound-failed', reason: 'blocked-address' });
    expect((error as Error).message).not.toMatch(/\d|::/);
    expect(inside.connections).toBe(0);
  });

  it('are looked up once: a name that leads inside a moment later changes nothing', async () => {
    const { client, lookUps } = clientWith(env, { 'rebind.example.com': [['127.0.0.2'], ['127.0.0.3']] });
    expect(await client.request({ url: url('rebind.example.com'), ...limits })).toMatchObject({ status: 200 });
    expect(lookUps).toEqual(['rebind.example.com']);
    await expect(client.request({ url: url('rebind.example.com'), ...limits })).rejects.toMatchObject({ reason: 'blocked-address' });
    expect(inside.connections).toBe(0);
  });

  it('may be none, and the answer does not say what the name server said', async () => {
    const { client } = clientWith(env);
    const error: unknown = await client.request({ url: url('nowhere.example.com'), ...limits }).catch((e: unknown) => e);
    expect(error).toMatchObject({ reason: 'connection-failed', cause: { message: 'queryA ENOTFOUND nowhere.example.com' } });
    expect((error as Error).message).not.toMatch(/ENOTFOUND|example/);
  });

  it('may be anything for a name that the operator has listed, and not for one below it', async () => {
    const listed = { ...env, OUTBOUND_ALLOW: 'hook,hooks.internal' };
    const { client } = clientWith(listed, {
      hook: [['127.0.0.2']],
      'hooks.internal': [['127.0.0.2']],
      'a.hooks.internal': [['127.0.0.2']],
    });
    expect(await client.request({ url: url('HOOKS.internal'), ...limits })).toMatchObject({ status: 200 });
    expect(await client.request({ url: url('hook'), ...limits })).toMatchObject({ status: 200 });
    await expect(client.request({ url: url('a.hooks.internal'), ...limits })).rejects.toMatchObject({ code: 'url-not-allowed' });
  });

  it('may be in a network that the operator has listed', async () => {
    const { client } = clientWith(
      { ...env, OUTBOUND_ALLOW: '127.0.0.2/31' },
      { [NAME]: [['127.0.0.2']], 'b.example.com': [['127.0.0.4']] },
    );
    expect(await client.request({ url: url(NAME), ...limits })).toMatchObject({ status: 200 });
    expect(await client.request({ url: url('127.0.0.2'), ...limits })).toMatchObject({ status: 200 });
    await expect(client.request({ url: url('b.example.com'), ...limits })).rejects.toMatchObject({ reason: 'blocked-address' });
  });

  it('must be listed, by name or address, where nothing else is allowed', async () => {
    const strict = { ...env, OUTBOUND_MODE: 'allow-list-only', OUTBOUND_ALLOW: '127.0.0.2,partner.example.com' };
    const { client } = clientWith(strict, { [NAME]: [[PUBLIC]], 'c.example.com': [['127.0.0.2']], 'partner.example.com': [['127.0.0.2']] });
    await expect(client.request({ url: url(NAME), ...limits })).rejects.toMatchObject({ reason: 'blocked-address' });
    await expect(client.request({ url: url(PUBLIC), ...limits })).rejects.toMatchObject({ code: 'url-not-allowed' });
    expect(await client.request({ url: url('c.example.com'), ...limits })).toMatchObject({ status: 200 });
    expect(await client.request({ url: url('partner.example.com'), ...limits })).toMatchObject({ status: 200 });
  });

  it('and names that the operator denies are out although they are public or listed', async () => {
    const denied = { ...env, OUTBOUND_DENY: `${NAME},127.0.0.2,${PUBLIC}` };
    const { client } = clientWith(denied, { 'd.example.com': [['127.0.0.2']], 'e.example.com': [[PUBLIC]] });
    await expect(client.request({ url: url(NAME), ...limits })).rejects.toMatchObject({ code: 'url-not-allowed' });
    await expect(client.request({ url: url('127.0.0.2'), ...limits })).rejects.toMatchObject({ code: 'url-not-allowed' });
    await expect(client.request({ url: url('d.example.com'), ...limits })).rejects.toMatchObject({ reason: 'blocked-address' });
    await expect(client.request({ url: url('e.example.com'), ...limits })).rejects.toMatchObject({ reason: 'blocked-address' });
  });
});

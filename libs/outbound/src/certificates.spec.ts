/** Whom a request believes: certificates of an authority that the operator trusts, for the name in the URL, and no others. */
import { join } from 'node:path';
import { writeFileSync } from 'node:fs';
import { afterAll, beforeAll, describe, expect, it } from '@jest/globals';
import { loadConfig } from '@app/config';
import { InvalidConfiguration } from '@app/errors';
import { makeAuthority, type Authority } from '../../../test/support/hook-certificates.js';
import { HookServer } from '../../../test/support/hook-server.js';
import { clientWith } from '../../../test/support/outbound-client.js';
import { removeDirectory, temporaryDirectory } from '../../../test/support/reaper.js';
import { OutboundClient } from './outbound-client.js';
import { OwnHosts } from './own-hosts.js';

const NAME = 'hooks.example.com';

describe('the certificate of the other side', () => {
  const directory = temporaryDirectory('outbound-tls');
  let authority: Authority;
  const servers: HookServer[] = [];
  beforeAll(() => {
    authority = makeAuthority(directory);
  });
  afterAll(async () => {
    await Promise.all(servers.map((server) => server.close()));
    removeDirectory(directory);
  });

  async function ask({ name = NAME, days = 2, trusted = true } = {}): Promise<{ server: HookServer; answer: Promise<unknown> }> {
    const server = await HookServer.http('127.0.0.2', undefined, authority.issue(name, days));
    servers.push(server);
    const env = {
      OUTBOUND_PORTS: String(server.port),
      OUTBOUND_ALLOW: '127.0.0.2',
      ...(trusted ? { OUTBOUND_CA_FILE: authority.file } : {}),
    };
    const { client } = clientWith(env, { [NAME]: [['127.0.0.2']] });
    const url = `https://${NAME}:${server.port}/`;
    return { server, answer: client.request({ url, method: 'GET', timeoutMs: 10_000, maxResponseBytes: 100 }) };
  }

  it('is believed where its authority is, and it is for this name', async () => {
    const { answer, server } = await ask();
    expect(await answer).toMatchObject({ status: 200, body: Buffer.from('ok') });
    expect(server.seen).toHaveLength(1);
  });

  it.each([
    ['of an authority that nobody knows', { trusted: false }],
    ['for another name', { name: 'other.example.com' }],
    ['that has expired', { days: -1 }],
  ])('is not believed %s, and nothing is sent then', async (_, how) => {
    const { answer, server } = await ask(how);
    const error: unknown = await answer.catch((e: unknown) => e);
    expect(error).toMatchObject({ code: 'outbound-failed', reason: 'tls-untrusted', cause: expect.anything() });
    expect((error as Error).message).not.toMatch(/example|127|self|CERT/);
    expect(server.seen).toEqual([]);
  });

  it('is needed: a server without TLS has no connection', async () => {
    const server = await HookServer.http('127.0.0.2');
    servers.push(server);
    const { client } = clientWith({ OUTBOUND_PORTS: String(server.port), OUTBOUND_ALLOW: '127.0.0.2' });
    const request = { method: 'GET', timeoutMs: 10_000, maxResponseBytes: 100 } as const;
    await expect(client.request({ url: `https://127.0.0.2:${server.port}/`, ...request })).rejects.toMatchObject({
      reason: 'connection-failed',
    });
    await expect(client.request({ url: `http://127.0.0.2:${server.port}/`, ...request })).rejects.toMatchObject({
      code: 'url-not-allowed',
    });
    expect(server.seen).toEqual([]);
  });

  it.each(['none', 'key.pem', 'ca.txt'])('is not judged by a file that holds none, which ends the boot: %s', (file) => {
    if (file === 'ca.txt') writeFileSync(join(directory, file), 'no certificate');
    if (file === 'key.pem') writeFileSync(join(directory, file), '-----BEGIN CERTIFICATE-----\nAAAA\n-----END CERTIFICATE-----\n');
    const config = loadConfig({ OUTBOUND_CA_FILE: join(directory, file) });
    const make = (): OutboundClient => new OutboundClient(config, new OwnHosts(config, { now: () => 0, monotonic: () => 0 }));
    expect(make).toThrow(InvalidConfiguration);
    expect(make).toThrow(/^OUTBOUND_CA_FILE must be/);
  });
});

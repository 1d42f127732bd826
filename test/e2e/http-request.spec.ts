/**
 * Requests that tasks send, from real workers whose environment means harm: it turns certificates off and names a proxy. What stands
 * at addresses that must not be reached counts its connections.
 */
import { afterAll, beforeAll, describe, expect, it } from '@jest/globals';
import { backends, type Backend } from '../support/backends.js';
import type { Client } from '../support/client.js';
import { useFleet } from '../support/fleet.js';
import { makeAuthority } from '../support/hook-certificates.js';
import { HookServer } from '../support/hook-server.js';
import { Installation } from '../support/installation.js';
import { removeDirectory, temporaryDirectory } from '../support/reaper.js';

const OUTSIDE = '127.0.0.2';
const INSIDE = '127.0.0.3';

describe.each(backends())('http.request on $name', (backend: Backend) => {
  const directory = temporaryDirectory('http-request');
  const fleet = useFleet();
  const servers: HookServer[] = [];
  let trusted: HookServer;
  let untrusted: HookServer;
  let inside: HookServer;
  let proxy: HookServer;
  let client: Client;
  let failures = 1;

  beforeAll(async () => {
    const authority = makeAuthority(directory);
    const answer: Parameters<typeof HookServer.http>[1] = (request, response) => {
      if (request.url === '/away') response.writeHead(302, { Location: `http://${INSIDE}:${inside.port}/` }).end();
      else if (request.url === '/busy' && failures-- > 0) response.writeHead(503, { 'Retry-After': '1' }).end();
      else response.writeHead(201, { ETag: '"7"' }).end('made');
    };
    trusted = await HookServer.http(OUTSIDE, answer, authority.issue(OUTSIDE));
    untrusted = await HookServer.http(OUTSIDE, answer, authority.issue('other.example.com'));
    inside = await HookServer.http(INSIDE);
    proxy = await HookServer.raw(OUTSIDE);
    servers.push(trusted, untrusted, inside, proxy);
    const through = `http://${OUTSIDE}:${proxy.port}`;
    const env = {
      HTTP_REQUEST: 'on',
      OUTBOUND_HTTP: 'allow',
      OUTBOUND_ALLOW: OUTSIDE,
      OUTBOUND_PORTS: servers.map(({ port }) => port).join(','),
      OUTBOUND_CA_FILE: authority.file,
      NODE_TLS_REJECT_UNAUTHORIZED: '0',
      ...{ HTTP_PROXY: through, HTTPS_PROXY: through, http_proxy: through, https_proxy: through, NODE_USE_ENV_PROXY: '1' },
    };
    const installation = await Installation.start({ fleet, backend, handlersDir: directory, workers: 1, env });
    client = installation.client();
  }, 60_000);
  afterAll(async () => {
    await Promise.all(servers.map((server) => server.close()));
    removeDirectory(directory);
  });

  const run = (payload: object, more: object = {}) =>
    client.submit({ name: 'http.request', payload, maxAttempts: 1, ...more }, { waitSeconds: 30 });
  const at = ({ port }: HookServer, path = '/'): string => `https://${OUTSIDE}:${port}${path}`;

  it('sends what the task says, once per attempt, with the token of the task', async () => {
    const order = { url: at(trusted, '/orders'), method: 'POST', body: 'grüezi', headers: { 'X-Order': '17' } };
    const { id, state, result } = await run(order);
    expect({ state, result }).toEqual({
      state: 'succeeded',
      result: { status: 201, headers: { etag: '"7"' }, body: 'made', encoding: 'utf8' },
    });
    expect(trusted.seen).toMatchObject([
      {
        method: 'POST',
        url: '/orders',
        body: 'grüezi',
        headers: { 'idempotency-key': id, 'x-order': '17', 'accept-encoding': 'identity' },
      },
    ]);
  });

  it('tries again what may pass, with the same token', async () => {
    const { id, state, failures: count } = await run({ url: at(trusted, '/busy') }, { maxAttempts: 2 });
    expect({ state, count }).toEqual({ state: 'succeeded', count: 1 });
    const tokens = trusted.seen.filter(({ url }) => url === '/busy').map(({ headers }) => headers['idempotency-key']);
    expect(tokens).toEqual([id, id]);
  });

  it('believes no certificate because the environment says so', async () => {
    const { state, lastError } = await run({ url: at(untrusted) });
    expect({ state, lastError }).toMatchObject({ state: 'failed', lastError: { code: 'tls-untrusted' } });
    expect(untrusted.seen).toEqual([]);
  });

  it('reaches nothing inside, neither by its address nor by a redirect, and no proxy', async () => {
    const dead = { state: 'failed', reason: 'permanent_error' };
    expect(await run({ url: `http://${INSIDE}:${inside.port}/` }, { maxAttempts: 5 })).toMatchObject({
      ...dead,
      lastError: { code: 'url-not-allowed' },
    });
    expect(await run({ url: at(trusted, '/away') }, { maxAttempts: 5 })).toMatchObject({ ...dead, lastError: { code: 'redirect' } });
    expect([inside.connections, proxy.connections]).toEqual([0, 0]);
  });
});

import { describe, expect, it } from '@jest/globals';
import { createServer } from 'node:http';
import { once } from 'node:events';
import type { AddressInfo } from 'node:net';
import { cannotListen } from './cannot-listen.js';

async function failureOf(host: string, port: number): Promise<unknown> {
  const server = createServer();
  server.listen(port, host);
  const [error] = (await once(server, 'error')) as [unknown];
  return error;
}

describe('a process that cannot listen', () => {
  it('says that its port is in use', async () => {
    const other = createServer().listen(0, '127.0.0.1');
    await once(other, 'listening');
    const { port } = other.address() as AddressInfo;
    const place = { host: '127.0.0.1', port };
    const told = cannotListen(await failureOf(place.host, port), place);
    other.close();
    expect(told).toMatchObject({ code: 'invalid-configuration' });
    expect(told?.message).toBe(`PORT: ${port} is in use at 127.0.0.1. Stop what uses it, or set another PORT.`);
  });

  it('says that its host is not here', async () => {
    const place = { host: '192.0.2.1', port: 0 };
    expect(cannotListen(await failureOf(place.host, 0), place)?.message).toMatch(/^HOST: 192\.0\.2\.1 is no address of this machine\./);
  });

  it.each([
    ['EACCES', 'listen', /^PORT: this user may not listen at 80\./],
    ['ENOTFOUND', 'getaddrinfo', /^HOST: /],
    ['EMFILE', 'listen', /^HOST, PORT: .* nowhere, 80 \(EMFILE\)\.$/],
  ])('says what %s means', (code, syscall, expected) => {
    const error = Object.assign(new Error(code), { code, syscall, hostname: 'nowhere' });
    expect(cannotListen(error, { host: 'nowhere', port: 80 })?.message).toMatch(expected);
  });

  it.each([
    ['of a connection', { code: 'EADDRINUSE', syscall: 'connect' }],
    ['about another host', { code: 'ENOTFOUND', syscall: 'getaddrinfo', hostname: 'database' }],
    ['without a code', {}],
  ])('leaves an error %s as it is', (_what, error) => {
    expect(cannotListen(Object.assign(new Error('x'), error), { host: 'h', port: 1 })).toBeNull();
  });
});

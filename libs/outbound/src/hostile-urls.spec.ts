/**
 * URLs that lead inside, in every disguise. Plain HTTP and the port of a listener on the loopback interface are allowed here, so that
 * nothing but the host keeps a request away from it; and the listener counts.
 */
import { afterAll, beforeAll, describe, expect, it } from '@jest/globals';
import { loadConfig } from '@app/config';
import { SystemClock } from '@app/lifecycle';
import { HookServer } from '../../../test/support/hook-server.js';
import { OutboundClient } from './outbound-client.js';
import { OutboundRefused } from './outbound-errors.js';
import { OwnHosts } from './own-hosts.js';

/** `:P` stands for the port of the listener. */
const HOSTILE: Readonly<Record<string, readonly string[]>> = {
  'the loopback address, however it is written': [
    ...['http://127.0.0.1:P/', 'http://127.0.0.2:P/', 'http://127.255.255.255:P/', 'http://127.1:P/', 'http://127.0.1:P/'],
    ...['http://0x7f.1:P/', 'http://0x7f.0.0.1:P/', 'http://0x7f000001:P/', 'http://0X7F000001:P/', 'http://2130706433:P/'],
    ...['http://017700000001:P/', 'http://0177.0.0.1:P/', 'http://0177.1:P/', 'http://00000177.0.0.1:P/', 'http://127.0.0.1.:P/'],
    ...['http://①②⑦.⓪.⓪.①:P/', 'http://127。0。0。1:P/', 'http://127．0．0．1:P/', 'http://１２７.0.0.1:P/'],
    ...['http://%31%32%37.0.0.1:P/', 'http://127%2e0.0.1:P/', 'http://127.0.0.1%2f:P/', 'http:\\\\127.0.0.1:P\\x', 'http:/\\127.0.0.1:P/'],
    ...['http://127.0.\t0.1:P/', 'http://127.0.0.1\n:P/', '\thttp://127.0.0.1:P/', 'ht\ntp://127.0.0.1:P/', ' http://127.0.0.1:P/'],
    ...['http:127.0.0.1:P/', 'http:/127.0.0.1:P/', 'http:///127.0.0.1:P/', 'http:////127.0.0.1:P/', 'HTTP://127.0.0.1:P/'],
  ],
  'no address at all': [
    ...['http://0:P/', 'http://0.0.0.0:P/', 'http://0x0:P/', 'http://00:P/', 'http://256:P/', 'http://0.1.2.3:P/'],
    ...['http://[::]:P/', 'http://[0:0:0:0:0:0:0:0]:P/', 'http://[::0.0.0.0]:P/'],
  ],
  'names of the inside': [
    ...['http://localhost:P/', 'http://LOCALHOST:P/', 'http://LocalHost:P/', 'http://localhost.:P/', 'http://foo.localhost:P/'],
    ...['http://foo.localhost.:P/', 'http://localhost.localdomain:P/', 'http://printer.local:P/', 'http://a.b.local:P/', 'http://local:P/'],
    ...['http://metadata.google.internal:P/', 'http://metadata:P/', 'http://x.internal:P/', 'http://db:P/'],
    ...[
      'http://intranet:P/',
      'http://wiki.corp:P/',
      'http://nas.lan:P/',
      'http://router.home.arpa:P/',
      'http://mysql:P/',
      'http://redis:P/',
    ],
    ...['http://kubernetes.default.svc.cluster.local:P/', 'http://ⓛocalhost:P/', 'http://local\u00adhost:P/', 'http://ｌocalhost:P/'],
    ...[
      'http://hooks.example.com.:P/',
      'http://exa mple.com:P/',
      'http://ex%61mple.com:P/',
      'http://x..example.com:P/',
      'http://.example.com:P/',
    ],
    ...['http://-x.example.com:P/', 'http://*.example.com:P/', 'http://exa$mple.com:P/', `http://${'a'.repeat(64)}.example.com:P/`],
  ],
  'private and special networks': [
    ...['http://10.0.0.1:P/', 'http://10.255.255.255:P/', 'http://172.16.0.1:P/', 'http://172.31.255.255:P/', 'http://192.168.0.1:P/'],
    ...['http://100.64.0.1:P/', 'http://100.127.255.255:P/', 'http://100.100.100.200:P/', 'http://169.254.169.254:P/latest/meta-data/'],
    ...['http://169.254.169.254.:P/', 'http://0xa9fea9fe:P/', 'http://2852039166:P/', 'http://169.254.0.1:P/', 'http://168.63.129.16:P/'],
    ...['http://192.0.0.1:P/', 'http://192.0.0.192:P/', 'http://192.0.2.1:P/', 'http://198.18.0.1:P/', 'http://198.19.255.255:P/'],
    ...['http://198.51.100.7:P/', 'http://203.0.113.7:P/', 'http://192.88.99.1:P/', 'http://224.0.0.1:P/', 'http://239.255.255.250:P/'],
    ...['http://240.0.0.1:P/', 'http://255.255.255.255:P/', 'http://0xffffffff:P/'],
  ],
  'IPv6 of the inside': [
    ...['http://[::1]:P/', 'http://[0:0:0:0:0:0:0:1]:P/', 'http://[0000::0001]:P/', 'http://[fc00::1]:P/', 'http://[fd00:ec2::254]:P/'],
    ...['http://[fdff:ffff::1]:P/', 'http://[fe80::1]:P/', 'http://[febf::1]:P/', 'http://[fe80::1%25eth0]:P/', 'http://[fec0::1]:P/'],
    ...['http://[ff02::1]:P/', 'http://[ff05::2]:P/', 'http://[2001:db8::1]:P/', 'http://[3fff::1]:P/', 'http://[100::1]:P/'],
    ...['http://[2001:2::1]:P/', 'http://[2001:10::1]:P/', 'http://[2001:20::1]:P/', 'http://[5f00::1]:P/', 'http://[4000::1]:P/'],
  ],
  'IPv4 inside of IPv6': [
    ...['http://[::ffff:127.0.0.1]:P/', 'http://[::ffff:7f00:1]:P/', 'http://[::ffff:169.254.169.254]:P/', 'http://[::ffff:a9fe:a9fe]:P/'],
    ...['http://[0:0:0:0:0:ffff:10.0.0.1]:P/', 'http://[::ffff:8.8.8.8]:P/', 'http://[::127.0.0.1]:P/', 'http://[::7f00:1]:P/'],
    ...[
      'http://[::ffff:0:127.0.0.1]:P/',
      'http://[64:ff9b::127.0.0.1]:P/',
      'http://[64:ff9b::7f00:1]:P/',
      'http://[64:ff9b::a9fe:a9fe]:P/',
    ],
    ...['http://[64:ff9b:1::7f00:1]:P/', 'http://[64:ff9b:1:ffff::a00:1]:P/', 'http://[2002:7f00:1::]:P/', 'http://[2002:a9fe:a9fe::1]:P/'],
    ...['http://[2001::1]:P/', 'http://[2001:0:7f00:1::]:P/', 'http://[2001:0:53aa:64c:0:fb7e:80ff:fffe]:P/'],
  ],
  'somebody in front of the host, or something behind the path': [
    ...['http://user:pw@hooks.example.com:P/', 'http://user@hooks.example.com:P/', 'http://:pw@hooks.example.com:P/'],
    ...[
      'http://@hooks.example.com:P/',
      'http://:@hooks.example.com:P/',
      'http://example.com@127.0.0.1:P/',
      'http://example.com:80@127.0.0.1:P/',
    ],
    ...['http://1.1.1.1 &@2.2.2.2# @3.3.3.3/', 'http://127.0.0.1:P\\@hooks.example.com/', 'http://hooks.example.com:P#@127.0.0.1/'],
    ...[
      'http://hooks.example.com:P/#part',
      'http://hooks.example.com:P/#',
      'http://hooks.example.com:P\\.127.0.0.1/',
      'http://a@b@127.0.0.1:P/',
    ],
  ],
  'other schemes, and what is no URL': [
    ...[
      'file:///etc/passwd',
      'gopher://127.0.0.1:P/_x',
      'data:text/plain,x',
      '//127.0.0.1:P/',
      'unix:/var/run/docker.sock',
      'ftp://127.0.0.1:P/',
    ],
    ...[
      'javascript:alert(1)',
      'blob:http://127.0.0.1:P/x',
      'ws://127.0.0.1:P/',
      'wss://hooks.example.com/',
      'dict://127.0.0.1:P/',
      'ldap://x/',
    ],
    ...[
      'view-source:http://127.0.0.1:P/',
      'http+unix://%2Fvar%2Frun%2Fx/',
      'jar:http://x!/',
      '',
      '/',
      'x',
      'hooks.example.com',
      'http://',
      'http://:P/',
    ],
    ...[
      'https://',
      'http://[::1',
      'http://[]:P/',
      'http://hooks.example.com:99999/',
      'http://hooks.example.com:-1/',
      'http://hooks.example.com:x/',
    ],
    ...[
      'http://hooks.example.com:P/\u0000',
      'http://hooks.example.com:P/\r\nHost: x',
      'http://hooks.example.com:P/ü',
      'http://256.256.256.256:P/',
    ],
    `http://hooks.example.com:P/${'a'.repeat(2_048)}`,
  ],
  'ports of other services': [
    ...['http://hooks.example.com:22/', 'http://hooks.example.com:25/', 'http://hooks.example.com:3306/', 'http://hooks.example.com:6379/'],
    ...['https://hooks.example.com:8443/', 'https://hooks.example.com:65535/', 'http://hooks.example.com:0/', 'https://1.1.1.1:53/'],
  ],
};

const TABLE = Object.entries(HOSTILE).flatMap(([kind, urls]) => urls.map((url) => [kind, url] as const));

describe('a hostile URL', () => {
  let listener: HookServer;
  let client: OutboundClient;
  let lookUps = 0;

  beforeAll(async () => {
    listener = await HookServer.http('127.0.0.1');
    const config = loadConfig({ OUTBOUND_HTTP: 'allow', OUTBOUND_PORTS: String(listener.port) });
    client = new OutboundClient(config, new OwnHosts(config, new SystemClock()), () => {
      lookUps += 1;
      return Promise.resolve(['127.0.0.1']);
    });
  });
  afterAll(async () => {
    expect(listener.connections).toBe(0);
    await listener.close();
  });

  it.each([
    ['http://user:pw@hooks.example.com/', 'user name or password'],
    ['http://hooks.example.com/#part', 'fragment'],
    ['http://hooks.example.com:22/', 'port'],
    ['http://ex%61mple.com/', 'usual form'],
    ['http://a b.example.com/', 'percent-encode'],
    ['ftp://hooks.example.com/', 'https://'],
    ['https:hooks.example.com', 'https://'],
    ['https://localhost/', 'may not be reached'],
  ])('is told apart, so that its user knows what to write: %s', async (url, words) => {
    await expect(client.request({ url, method: 'GET', timeoutMs: 2_000, maxResponseBytes: 100 })).rejects.toThrow(words);
  });

  it('has at least 160 forms', () => {
    expect(new Set(TABLE.map(([, url]) => url)).size).toBeGreaterThanOrEqual(160);
  });

  it.each(TABLE)('is refused before anything is looked up or sent: %s: %j', async (_, url) => {
    const text = url.replaceAll(':P', `:${listener.port}`);
    const error: unknown = await client
      .request({ url: text, method: 'GET', timeoutMs: 2_000, maxResponseBytes: 100 })
      .catch((e: unknown) => e);
    expect(error).toBeInstanceOf(OutboundRefused);
    expect(error).toMatchObject({ kind: 'invalid', code: 'url-not-allowed', fields: [{ pointer: '/url', code: 'url-not-allowed' }] });
    expect((error as Error).message).not.toMatch(/\d+\.\d+\.\d+\.\d+|::/);
    expect(lookUps).toBe(0);
    expect(listener.connections).toBe(0);
  });
});

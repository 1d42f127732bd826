import { describe, expect, it } from '@jest/globals';
import { InvalidConfiguration } from '@app/errors';
import { loadConfig } from './load.js';

describe('the lists of outbound requests', () => {
  it('are read into names, networks, ports and headers', () => {
    const config = loadConfig({
      OUTBOUND_ALLOW: 'Hooks.Internal,hook,10.1.0.0/16,127.0.0.1,fd00::/8,::1',
      OUTBOUND_PORTS: '8443,1,65535',
      OUTBOUND_HEADERS: 'PRIVATE-TOKEN,apikey',
    });
    expect(config.outboundAllow).toEqual({
      names: ['hooks.internal', 'hook'],
      networks: [
        { address: '10.1.0.0', family: 'ipv4', prefix: 16 },
        { address: '127.0.0.1', family: 'ipv4', prefix: 32 },
        { address: 'fd00::', family: 'ipv6', prefix: 8 },
        { address: '::1', family: 'ipv6', prefix: 128 },
      ],
    });
    expect(config.outboundDeny).toEqual({ names: [], networks: [] });
    expect(config.outboundPorts).toEqual([8_443, 1, 65_535]);
    expect(config.outboundHeaders).toEqual(['private-token', 'apikey']);
  });

  it.each([
    ...['*.example.com', 'example.com.', '.example.com', 'https://example.com', 'example.com:443', 'a b', 'a,', ',', 'a, b', 'ü.example'],
    ...[
      '10.0.0.0/33',
      'fd00::/129',
      '10.0.0.0/',
      '10.0.0.0/08',
      '10.0.0',
      '127.1',
      '0x7f.1',
      '2130706433',
      '[::1]',
      'fe80::1%lo',
      'user@host',
    ],
    Array(257).fill('a').join(','),
  ])('refuse %j as a host', (raw) => {
    expect(() => loadConfig({ OUTBOUND_ALLOW: raw })).toThrow(InvalidConfiguration);
    expect(() => loadConfig({ OUTBOUND_DENY: raw })).toThrow(/^OUTBOUND_DENY must/);
  });

  it.each(['0', '65536', '-1', '80,', '80, 81', '0080', 'http', Array(65).fill('81').join(',')])('refuse %j as ports', (raw) => {
    expect(() => loadConfig({ OUTBOUND_PORTS: raw })).toThrow(/^OUTBOUND_PORTS must/);
  });

  it.each(['X A', 'X-A:', '', 'a,', 'é', Array(65).fill('a').join(',')])('refuse %j as names of headers', (raw) => {
    expect(() => loadConfig({ OUTBOUND_HEADERS: raw })).toThrow(/^OUTBOUND_HEADERS (must|is set but empty)/);
  });
});

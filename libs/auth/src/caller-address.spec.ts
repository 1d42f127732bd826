import { describe, expect, it } from '@jest/globals';
import type { Request } from 'express';
import { callerAddress } from './caller-address.js';

const of = (ip: string | undefined, remoteAddress?: string): string =>
  callerAddress({ ip, socket: { remoteAddress } } as unknown as Request);

describe('the address of a caller', () => {
  it.each([
    ['192.0.2.7', '192.0.2.7'],
    ['::ffff:192.0.2.7', '192.0.2.7'],
    ['2001:db8:1:2:3:4:5:6', '2001:db8:1:2/64'],
    ['2001:DB8:0001:0002::9', '2001:db8:1:2/64'],
    ['2001:db8::9', '2001:db8:0:0/64'],
    ['2001:db8:1:2::', '2001:db8:1:2/64'],
    ['::1', '0:0:0:0/64'],
    ['::', '0:0:0:0/64'],
    ['64:ff9b::192.0.2.7', '64:ff9b:0:0/64'],
    ['fe80::1%eth0', 'fe80:0:0:0/64'],
  ])('%s counts as %s', (ip, group) => {
    expect(of(ip)).toBe(group);
  });

  it('is that of the connection where a header says something else than an address', () => {
    expect(of('unknown', '192.0.2.7')).toBe('192.0.2.7');
    expect(of("1'; DROP TABLE tasks", '::1')).toBe('0:0:0:0/64');
    expect(of(undefined)).toBe('unknown');
  });
});

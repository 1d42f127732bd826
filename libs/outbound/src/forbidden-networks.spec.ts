/** The edges of every range: the last address outside, the first and last inside. */
import { describe, expect, it } from '@jest/globals';
import { isDisguised, isPublic } from './forbidden-networks.js';

const IPV4: readonly (readonly [first: string, last: string])[] = [
  ['0.0.0.0', '0.255.255.255'],
  ['10.0.0.0', '10.255.255.255'],
  ['100.64.0.0', '100.127.255.255'],
  ['127.0.0.0', '127.255.255.255'],
  ['168.63.129.16', '168.63.129.16'],
  ['169.254.0.0', '169.254.255.255'],
  ['172.16.0.0', '172.31.255.255'],
  ['192.0.0.0', '192.0.0.255'],
  ['192.0.2.0', '192.0.2.255'],
  ['192.88.99.0', '192.88.99.255'],
  ['192.168.0.0', '192.168.255.255'],
  ['198.18.0.0', '198.19.255.255'],
  ['198.51.100.0', '198.51.100.255'],
  ['203.0.113.0', '203.0.113.255'],
  ['224.0.0.0', '255.255.255.255'],
];

const number = (address: string): number => address.split('.').reduce((sum, part) => sum * 256 + Number(part), 0);
const dotted = (value: number): string => [24, 16, 8, 0].map((shift) => Math.floor(value / 2 ** shift) % 256).join('.');

describe('isPublic', () => {
  it.each(IPV4)('ends and begins again around %s to %s', (first, last) => {
    expect([isPublic(first), isPublic(last)]).toEqual([false, false]);
    if (number(first) > 0) expect(isPublic(dotted(number(first) - 1))).toBe(true);
    if (number(last) < 2 ** 32 - 1) expect(isPublic(dotted(number(last) + 1))).toBe(true);
  });

  it.each(['1.1.1.1', '8.8.8.8', '93.184.215.14', '2606:4700:4700::1111', '2a00:1450:4001:82b::200e', '2001:200::1', '2003::1', '3ffe::1'])(
    'takes %s',
    (address) => {
      expect(isPublic(address)).toBe(true);
    },
  );

  it.each([
    ...['::', '::1', '::7f00:1', '::ffff:8.8.8.8', '::ffff:0:8.8.8.8', '64:ff9b::808:808', '64:ff9b:1::1', '100::1', '1fff::1', '4000::1'],
    ...['2001::1', '2001:1ff::1', '2001:db8::1', '2001:db8:ffff::1', '2002::1', '2002:808:808::1', '3fff::1', '3fff:fff::1', '5f00::1'],
    ...[
      'fc00::1',
      'fdff::1',
      'fe80::1',
      'febf::1',
      'fec0::1',
      'ff00::1',
      'ff02::1',
      'fe80::1%eth0',
      '2606:4700::1%0',
      'localhost',
      '',
      '1.1.1',
    ],
  ])('takes %j for none', (address) => {
    expect(isPublic(address)).toBe(false);
  });

  it('knows a disguise however it is written', () => {
    expect(['::ffff:10.0.0.1', '::ffff:a00:1', '0:0:0:0:0:FFFF:a00:1'].map(isDisguised)).toEqual([true, true, true]);
    expect(['10.0.0.1', '::1', '2606:4700::1', 'x'].map(isDisguised)).toEqual([false, false, false, false]);
  });
});

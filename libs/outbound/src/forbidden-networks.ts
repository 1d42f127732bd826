/**
 * Which addresses are not the public internet. For IPv4 everything is public that is not named here. For IPv6 nothing is public but
 * 2000::/3, less what is named here: so the forms that wrap an IPv4 address (mapped, compatible, NAT64, 6to4, Teredo), which would
 * carry a private one past the IPv4 list, are out as a whole, and so is what may be assigned one day.
 */
import { BlockList, isIP } from 'node:net';

const IPV4: readonly (readonly [string, number])[] = [
  ['0.0.0.0', 8], // this network
  ['10.0.0.0', 8], // private
  ['100.64.0.0', 10], // behind a carrier's NAT, and the metadata service of one cloud
  ['127.0.0.0', 8], // loopback
  ['168.63.129.16', 32], // a public address that is the host agent inside of one cloud
  ['169.254.0.0', 16], // link-local, and the metadata service of most clouds
  ['172.16.0.0', 12], // private
  ['192.0.0.0', 24], // protocol assignments, and the metadata service of one cloud
  ['192.0.2.0', 24], // documentation
  ['192.31.196.0', 24], // AS112
  ['192.52.193.0', 24], // multicast tunnels
  ['192.88.99.0', 24], // 6to4 relays
  ['192.168.0.0', 16], // private
  ['192.175.48.0', 24], // AS112
  ['198.18.0.0', 15], // benchmarks
  ['198.51.100.0', 24], // documentation
  ['203.0.113.0', 24], // documentation
  ['224.0.0.0', 4], // multicast
  ['240.0.0.0', 4], // reserved, and broadcast
];

const IPV6: readonly (readonly [string, number])[] = [
  ['2001::', 23], // protocol assignments, Teredo and benchmarks among them
  ['2001:db8::', 32], // documentation
  ['2002::', 16], // 6to4
  ['2620:4f:8000::', 48], // AS112
  ['3fff::', 20], // documentation
];

const FORBIDDEN = new BlockList();
for (const [network, prefix] of IPV4) FORBIDDEN.addSubnet(network, prefix, 'ipv4');
for (const [network, prefix] of IPV6) FORBIDDEN.addSubnet(network, prefix, 'ipv6');

const PUBLIC_IPV6 = new BlockList();
PUBLIC_IPV6.addSubnet('2000::', 3, 'ipv6');

const MAPPED = new BlockList();
MAPPED.addSubnet('::ffff:0:0', 96, 'ipv6');

export type Family = 'ipv4' | 'ipv6';

/** Null for what is no plain address, such as one with a zone (`fe80::1%eth0`). */
export function familyOf(address: string): Family | null {
  const version = address.includes('%') ? 0 : isIP(address);
  return version === 0 ? null : version === 4 ? 'ipv4' : 'ipv6';
}

/** Whether it is an address of the public internet, written as itself. */
export function isPublic(address: string): boolean {
  const family = familyOf(address);
  if (family === null || FORBIDDEN.check(address, family)) return false;
  return family === 'ipv4' || PUBLIC_IPV6.check(address, family);
}

/** `::ffff:10.0.0.1`: an IPv4 address in a disguise that nobody needs, so that no list has to be read twice. */
export function isDisguised(address: string): boolean {
  return familyOf(address) === 'ipv6' && MAPPED.check(address, 'ipv6');
}

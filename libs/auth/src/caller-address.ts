/**
 * The address that a request is counted under: that of the connection, or what a trusted proxy says (`TRUST_PROXY`, which Express
 * applies in `request.ip`). Of an IPv6 address the first 64 bits count, because the rest is its owner's to choose; an IPv4 address
 * in an IPv6 coat is the IPv4 address.
 */
import { isIP } from 'node:net';
import type { Request } from 'express';

/** Where not even the connection has an address any more. */
const UNKNOWN = 'unknown';
const IPV4_COAT = /^::ffff:(\d+\.\d+\.\d+\.\d+)$/i;
const NETWORK_GROUPS = 4;
const GROUPS = 8;

export function callerAddress(request: Request): string {
  return groupOf(request.ip ?? '') ?? groupOf(request.socket.remoteAddress ?? '') ?? UNKNOWN;
}

/** Null for what is no address: a header may say anything. */
function groupOf(address: string): string | null {
  const plain = IPV4_COAT.exec(address)?.[1] ?? address;
  const family = isIP(plain);
  return family === 0 ? null : family === 4 ? plain : networkOf(plain);
}

/** `2001:db8::1` → `2001:db8:0:0/64`. */
function networkOf(address: string): string {
  const [head = '', tail] = (address.split('%')[0] ?? '').toLowerCase().split('::');
  const front = head === '' ? [] : head.split(':');
  const back = tail === undefined || tail === '' ? [] : tail.split(':');
  const dotted = [...front, ...back].some((group) => group.includes('.')) ? 1 : 0;
  const gap = tail === undefined ? 0 : Math.max(0, GROUPS - front.length - back.length - dotted);
  const groups = [...front, ...Array<string>(gap).fill('0'), ...back].slice(0, NETWORK_GROUPS);
  return `${groups.map((group) => group.replace(/^0+(?=.)/, '')).join(':')}/64`;
}

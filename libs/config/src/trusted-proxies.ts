/**
 * Whose word about the address of a client is taken. There is no "all": a header that anybody can write would then decide whose
 * attempts are counted.
 */
import { isIP } from 'node:net';
import { about, type About, type Setting } from './setting.js';

const HOPS_MAX = 10;
const ENTRIES_MAX = 64;

/** Null where nobody is trusted; a number of hops, counted from this process; or networks in CIDR notation and single addresses. */
export type TrustedProxies = number | readonly string[] | null;

export function trustedProxies(options: About): Setting<TrustedProxies> {
  return {
    ...about(options),
    fallback: null,
    shownDefault: 'unset',
    accepts: `1 to ${HOPS_MAX}, or a comma-separated list of at most ${ENTRIES_MAX} addresses and networks such as \`10.0.0.0/8\``,
    read: (raw) => {
      if (/^([1-9]|10)$/.test(raw)) return { value: Number(raw) };
      const entries = raw.split(',');
      if (!entries.every(isNetwork)) {
        return {
          problem: `must be a number of proxies from 1 to ${HOPS_MAX}, or a comma-separated list of networks such as 10.0.0.0/8, without spaces.`,
        };
      }
      if (entries.length > ENTRIES_MAX) return { problem: `must list at most ${ENTRIES_MAX} networks.` };
      return { value: Object.freeze(entries) };
    },
  };
}

/** An address, or one with the length of a prefix that is not zero: a network of everybody would trust everybody. */
function isNetwork(text: string): boolean {
  const [address = '', prefix, ...rest] = text.split('/');
  const family = isIP(address);
  if (family === 0 || rest.length > 0) return false;
  return prefix === undefined || (/^[1-9]\d{0,2}$/.test(prefix) && Number(prefix) <= (family === 4 ? 32 : 128));
}

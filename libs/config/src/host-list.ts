/**
 * Lists of hosts: exact names, addresses, and networks in CIDR form. There are no wildcards for names: whoever may make names below
 * a listed one would decide where requests go.
 */
import { isIP } from 'node:net';
import { about, type About, type Setting } from './setting.js';

const ENTRIES_MAX = 256;
const NAME = /^(?=.{1,253}$)[A-Za-z0-9_]([A-Za-z0-9_-]{0,61}[A-Za-z0-9_])?(\.[A-Za-z0-9_]([A-Za-z0-9_-]{0,61}[A-Za-z0-9_])?)*$/;
const ENDS_IN_NUMBER = /(^|\.)(\d+|0[xX][0-9A-Fa-f]*)$/;

/** A range of addresses; a single address is one with all of its bits fixed. */
export interface Network {
  readonly address: string;
  readonly family: 'ipv4' | 'ipv6';
  /** How many leading bits are fixed, 0 to 32 or 128. */
  readonly prefix: number;
}

export interface HostList {
  /** In lower case. */
  readonly names: readonly string[];
  readonly networks: readonly Network[];
}

export function hostList(options: About): Setting<HostList> {
  return {
    ...about(options),
    fallback: Object.freeze({ names: Object.freeze([]), networks: Object.freeze([]) }),
    shownDefault: 'none',
    accepts: `a comma-separated list of at most ${ENTRIES_MAX} names, addresses and networks such as \`10.1.0.0/16\``,
    read: (raw) => {
      const entries = raw.split(',');
      if (entries.length > ENTRIES_MAX) return { problem: `must list at most ${ENTRIES_MAX} hosts.` };
      const names: string[] = [];
      const networks: Network[] = [];
      for (const entry of entries) {
        const network = networkOf(entry);
        if (network !== null) networks.push(network);
        else if (NAME.test(entry) && !ENDS_IN_NUMBER.test(entry)) names.push(entry.toLowerCase());
        else {
          return {
            problem:
              'must be a comma-separated list without spaces of exact names (hooks.example.com), addresses (10.1.2.3, fd00::5) and networks (10.1.0.0/16, fd00::/64).',
          };
        }
      }
      return { value: Object.freeze({ names: Object.freeze(names), networks: Object.freeze(networks) }) };
    },
  };
}

function networkOf(entry: string): Network | null {
  const match = /^([0-9A-Fa-f.:]+)(?:\/(0|[1-9]\d{0,2}))?$/.exec(entry);
  const address = match?.[1] ?? '';
  const version = isIP(address);
  if (version === 0) return null;
  const bits = version === 4 ? 32 : 128;
  const prefix = match?.[2] === undefined ? bits : Number(match[2]);
  return prefix > bits ? null : { address, family: version === 4 ? 'ipv4' : 'ipv6', prefix };
}

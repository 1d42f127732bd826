/**
 * The addresses of this service itself: this machine, its database, its Redis. A request on a user's behalf must not come back to
 * them, under whatever name. Their names are looked up as the drivers do it, at most every half a minute; while one cannot be
 * looked up, what was known of it last counts, so that a broken name of ours does not stop everybody's requests.
 */
import { lookup } from 'node:dns/promises';
import { BlockList } from 'node:net';
import { networkInterfaces } from 'node:os';
import { readDatabaseAddress, type Config } from '@app/config';
import { within, type Clock } from '@app/lifecycle';
import { familyOf } from './forbidden-networks.js';

const REFRESH_MS = 30_000;
const LOOKUP_MS = 2_000;
const WILDCARDS = ['0.0.0.0', '::'];

export type OwnSettings = Pick<Config, 'databaseUrl' | 'redisUrls' | 'host' | 'port'>;

/** What is known of ourselves at a moment. */
export interface OwnAddresses {
  has(address: string): boolean;
}

export class OwnHosts {
  /** Ports that something of ours listens on. */
  readonly ports: ReadonlySet<number>;
  private readonly hosts: readonly string[];
  private readonly known = new Map<string, readonly string[]>();
  private current: Promise<OwnAddresses> | null = null;
  private freshUntil = 0;

  constructor(
    settings: OwnSettings,
    private readonly clock: Clock,
    private readonly lookUp: (name: string) => Promise<readonly string[]> = lookUpLikeDrivers,
  ) {
    const endpoints = endpointsOf(settings);
    this.hosts = [...new Set(endpoints.map(({ host }) => host))].filter((host) => !WILDCARDS.includes(host));
    this.ports = new Set(endpoints.map(({ port }) => port));
  }

  hasName(name: string): boolean {
    return this.hosts.includes(name);
  }

  /** Never rejects; takes at most two seconds. */
  addresses(): Promise<OwnAddresses> {
    if (this.current === null || this.clock.monotonic() >= this.freshUntil) {
      this.freshUntil = this.clock.monotonic() + REFRESH_MS;
      this.current = this.gather();
    }
    return this.current;
  }

  private async gather(): Promise<OwnAddresses> {
    await Promise.all(
      this.hosts.map(async (host) => {
        if (familyOf(host) !== null) this.known.set(host, [host]);
        else this.known.set(host, await within(this.lookUp(host), LOOKUP_MS, 'looking up a host').catch(() => this.known.get(host) ?? []));
      }),
    );
    const list = new BlockList();
    const interfaces = Object.values(networkInterfaces()).flatMap((some) => (some ?? []).map(({ address }) => address));
    for (const address of [...interfaces, ...[...this.known.values()].flat()]) {
      const family = familyOf(address);
      if (family !== null) list.addAddress(address, family);
    }
    return {
      has: (address) => {
        const family = familyOf(address);
        return family !== null && list.check(address, family);
      },
    };
  }
}

function endpointsOf(settings: OwnSettings): { host: string; port: number }[] {
  const database = readDatabaseAddress(settings.databaseUrl);
  return [
    { host: settings.host, port: settings.port },
    ...('value' in database && database.value.family === 'mysql' ? [database.value] : []),
    ...settings.redisUrls.map((text) => {
      const url = new URL(text);
      return { host: url.hostname, port: url.port === '' ? 6_379 : Number(url.port) };
    }),
  ].map(({ host, port }) => ({ host: host.toLowerCase().replace(/^\[(.*)\]$/, '$1'), port }));
}

async function lookUpLikeDrivers(name: string): Promise<readonly string[]> {
  return (await lookup(name, { all: true })).map(({ address }) => address);
}

/**
 * What a slow disk costs whom: single submissions and batches, on a disk as it is and on one that takes a millisecond for a sync, against
 * the peers that commit every job by itself.
 */
import { newDatabase, type Backend } from '../../support/backends.js';
import { startLocalDatabase } from '../../support/servers/local-database.js';
import { canStartLocalPostgres, startLocalPostgres } from '../../support/servers/local-postgres.js';
import { MARIADB, POSTGRES } from '../grounds.js';
import { Installation } from '../installation.js';
import { Bench } from '../measure.js';
import { PeerSite } from '../peer-site.js';
import { installPeers, isNewer, nodeOf, PEERS, tryInstallPeers } from '../peers.js';
import type { Site } from '../site.js';
import { slowDisk } from './slow-disk.js';

const SYNC_MS = 1;
const BULK = { tasks: 5_000, pace: 0.2 };
const CONCURRENCY = { product: 200, 'pg-boss': 2_000, 'graphile-worker': 500 } as const;
type Name = keyof typeof CONCURRENCY;

export interface OnDisk {
  readonly name: Name;
  readonly isSlow: boolean;
  /** Tasks per second. */
  readonly bulk: number;
  readonly single: number;
}

/** What could be measured; a sentence where the slow disk cannot be made or a peer cannot take part. */
export async function disks(backend: Backend, say: (text: string) => void): Promise<{ figures: OnDisk[]; missing: string[] }> {
  const figures: OnDisk[] = [];
  const missing: string[] = [];
  const slow = slowDisk(SYNC_MS);
  if (slow === null) missing.push('The slow disk cannot be simulated here: it needs Linux and a C compiler.');
  try {
    for (const environment of slow === null ? [[]] : [[], [slow.environment]]) {
      const isSlow = environment.length > 0;
      figures.push({ name: 'product', isSlow, ...(await product(backend, environment)) });
      say(JSON.stringify(figures.at(-1)));
      for (const name of ['pg-boss', 'graphile-worker'] as const) {
        const peer = await ofPeer(name, environment).catch((error: unknown) => String(error));
        if (typeof peer === 'string') missing.push(`${name}: ${peer}`);
        else figures.push({ name, isSlow, ...peer });
        say(JSON.stringify(typeof peer === 'string' ? peer : figures.at(-1)));
      }
    }
    return { figures, missing };
  } finally {
    slow?.remove();
  }
}

async function product(backend: Backend, environment: readonly string[]): Promise<Pick<OnDisk, 'bulk' | 'single'>> {
  const server = await startLocalDatabase(undefined, MARIADB, environment);
  try {
    const place = { ...(await backend.environment()), DATABASE_URL: await newDatabase(server.url) };
    const slow: Backend = { ...backend, environment: () => Promise.resolve(place) };
    return await measure(
      await Installation.start(slow, {
        concurrency: CONCURRENCY.product,
        profiles: null,
        load: null,
        node: nodeOf(tryInstallPeers(() => undefined)).path,
      }),
      1,
    );
  } finally {
    await server.remove();
  }
}

async function ofPeer(name: Exclude<Name, 'product'>, environment: readonly string[]): Promise<Pick<OnDisk, 'bulk' | 'single'>> {
  if (!canStartLocalPostgres()) throw new Error('there is no PostgreSQL here');
  const { node } = installPeers(() => undefined);
  if (!isNewer(node.version)) throw new Error('it needs Node 22.18 or newer, and none can be had here');
  const server = await startLocalPostgres(POSTGRES, environment);
  try {
    const peer = PEERS.find((one) => one.name === name)!;
    const settings = { concurrency: CONCURRENCY[name], notify: false, node: node.path };
    return await measure(await PeerSite.start(peer, { url: server.url, pid: server.pid }, settings), BULK.pace);
  } finally {
    await server.remove();
  }
}

async function measure(site: Site, pace: number): Promise<Pick<OnDisk, 'bulk' | 'single'>> {
  try {
    const bench = new Bench(site, BULK.tasks, pace, () => () => Promise.resolve());
    await bench.warmUp(['bulk', 'single']);
    return { bulk: (await bench.measure('bulk')).perSecond, single: (await bench.measure('single')).perSecond };
  } finally {
    await site.close();
  }
}

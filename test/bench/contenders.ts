/**
 * Who takes part, in what way, and what each keeps: the product in two ways and on two databases, the peers, and the plain services
 * that an HTTP front is measured against. Who cannot take part is named with the reason.
 */
import { newDatabase, type Backend } from '../support/backends.js';
import { Installation, OTHER_SETTINGS } from './installation.js';
import type { LoadGenerator } from './load-generator.js';
import type { Mode } from './measure.js';
import { PeerSite, type PeerServer } from './peer-site.js';
import { isNewer, nodeOf, PEERS, type Installed, type Peer } from './peers.js';
import { PlainSite, type PlainOptions } from './plain-site.js';
import type { Site } from './site.js';

/** A stay of a contender: what is measured while it is up. */
export interface Visit {
  /** Put before the mode in the names of the figures. */
  readonly way: '' | 'http.';
  readonly modes: readonly Mode[];
  readonly open: () => Promise<Site>;
}

export interface Contender {
  readonly name: string;
  readonly title: string;
  readonly settings: string;
  /** What is there afterwards, and what a crash takes. */
  readonly keeps: string;
  /** Fewer single tasks where each takes long: 0 … 1. */
  readonly pace: number;
  readonly visits: readonly Visit[];
}

export interface Missing {
  readonly name: string;
  readonly reason: string;
}

export interface Grounds {
  /** The product's database server; null where there is none. */
  readonly server: Backend | null;
  readonly embedded: Backend;
  /** Of the database server, without the name of a database. */
  readonly databaseUrl: string | null;
  readonly load: LoadGenerator;
  readonly concurrency: number;
  readonly profiles: string | null;
  /** The packages of the peers, or why there are none. */
  readonly installed: Installed | Missing['reason'];
  /** Servers that only peers use; where one is missing, the reason. */
  readonly redis: PeerServer | Missing['reason'];
  readonly postgres: PeerServer | Missing['reason'];
}

const KEEPS =
  'The task and every attempt, for days. A 2xx or a resolved call is committed and synced: a crash loses nothing accepted, and what a dead worker held runs elsewhere within 30 s.';
const KEEPS_EMBEDDED = 'The same in one file (`synchronous=FULL`); what was running starts again when the process does.';

export function contenders(grounds: Grounds): { present: Contender[]; missing: Missing[] } {
  const found: (Contender | Missing)[] = [
    ...(grounds.server === null ? [missing('product', 'there is no database server')] : [product(grounds, grounds.server)]),
    embedded(grounds),
    ...PEERS.map((peer) => peerContender(grounds, peer)),
    ...plainServices(grounds),
  ];
  return {
    present: found.flatMap((one) => ('visits' in one ? [one] : [])),
    missing: found.flatMap((one) => ('visits' in one ? [] : [one])),
  };
}

function product(grounds: Grounds, backend: Backend): Contender {
  const { load, concurrency } = grounds;
  const open = installationOn(backend, grounds);
  return {
    name: 'product',
    title: 'Task Runner X',
    settings: `\`WORKER_CONCURRENCY=${concurrency}\`; ${OTHER_SETTINGS}; Node ${nodeOf(grounds.installed).version}`,
    keeps: KEEPS,
    pace: 1,
    visits: [
      { way: '', modes: ['paced'], open: open(null) },
      { way: '', modes: ['bulk', 'drain', 'single'], open: open(null) },
      { way: 'http.', modes: ['paced'], open: open(load) },
      { way: 'http.', modes: ['bulk', 'single', 'accept'], open: open(load) },
    ],
  };
}

/** What opens it for a load over HTTP, or for one from a program that embeds the api. */
function installationOn(backend: Backend, { concurrency, profiles, installed }: Grounds) {
  const { path: node } = nodeOf(installed);
  return (load: LoadGenerator | null) => () => Installation.start(backend, { concurrency, profiles, node, load });
}

function embedded(grounds: Grounds): Contender {
  const { load, concurrency, embedded: backend } = grounds;
  const open = installationOn(backend, grounds);
  return {
    name: 'embedded',
    title: 'Task Runner X, embedded (SQLite, `ROLE=all`)',
    settings: `\`WORKER_CONCURRENCY=${concurrency}\`, one process; ${OTHER_SETTINGS}; Node ${nodeOf(grounds.installed).version}`,
    keeps: KEEPS_EMBEDDED,
    pace: 1,
    visits: [
      { way: '', modes: ['paced'], open: open(null) },
      { way: '', modes: ['bulk', 'single'], open: open(null) },
      { way: 'http.', modes: ['bulk', 'drain', 'single'], open: open(load) },
    ],
  };
}

function peerContender(grounds: Grounds, peer: Peer): Contender | Missing {
  const { installed, redis, postgres } = grounds;
  const server = peer.server === 'redis' ? redis : postgres;
  if (typeof installed === 'string') return missing(peer.name, `not installed: ${installed}`);
  if (typeof server === 'string') return missing(peer.name, server);
  const node = nodeOf(grounds.installed);
  if (peer.needsNewerNode && !isNewer(node.version))
    return missing(peer.name, 'not installed: it needs Node 22.18 or newer, and none can be had here');
  const all = staysOf(peer).map(({ modes, concurrency, notify = false }): Visit => ({
    way: '',
    modes,
    open: () => PeerSite.start(peer, server, { concurrency, notify, node: node.path }),
  }));
  const { title, settings, keeps } = peer;
  const version = installed.versions[peer.name] ?? 'of unknown version';
  return {
    name: peer.name,
    title: `${title} ${version}`,
    settings: `${settings}; Node ${node.version}`,
    keeps,
    pace: peer.server === 'postgres' ? 0.25 : 1,
    visits: all,
  };
}

/**
 * Each peer with the setting that suits it best in each measurement. A latency is that of a service without much to do, so it has a stay of its
 * own; the single ones, which are hardest on a table, come last.
 */
function staysOf({ name }: Peer): { modes: readonly Mode[]; concurrency: number; notify?: boolean }[] {
  switch (name) {
    case 'bullmq':
      return [
        { modes: ['paced'], concurrency: 50 },
        { modes: ['bulk'], concurrency: 50 },
        { modes: ['drain', 'single'], concurrency: 500 },
      ];
    case 'bee-queue':
    case 'graphile-worker':
      return [
        { modes: ['paced'], concurrency: 500 },
        { modes: ['bulk', 'drain', 'single'], concurrency: 500 },
      ];
    case 'pg-boss':
      return [
        { modes: ['paced'], concurrency: 100, notify: true },
        { modes: ['bulk', 'drain', 'single'], concurrency: 2_000 },
      ];
  }
}

function plainServices(grounds: Grounds): (Contender | Missing)[] {
  const { load, databaseUrl } = grounds;
  const { path: node, version } = nodeOf(grounds.installed);
  const service = (name: string, title: string, keeps: string, pace: number, options: () => Promise<PlainOptions>): Contender => ({
    name,
    title,
    settings: `one process; Node ${version}`,
    keeps,
    pace,
    visits: [{ way: 'http.', modes: ['accept'], open: async () => PlainSite.start(await options(), load) }],
  });
  const hello = service('hello', 'Nest + Express, hello', 'Nothing.', 1, () =>
    Promise.resolve({ program: 'hello', databaseUrl: null, node }),
  );
  if (databaseUrl === null) return [hello, missing('plain', 'there is no database server')];
  const insert = async (secret: 'key' | 'string'): Promise<PlainOptions> => ({
    program: 'insert',
    node,
    databaseUrl: await newDatabase(databaseUrl),
    env: { PLAIN_SECRET: secret },
  });
  const row = 'A row per request, committed and synced; nobody runs it.';
  return [
    hello,
    service('plain', 'Nest + passport-jwt + INSERT (secret as a key object)', row, 1, () => insert('key')),
    service('plain-string', 'Nest + passport-jwt + INSERT (secret as text)', row, 0.5, () => insert('string')),
  ];
}

function missing(name: string, reason: string): Missing {
  return { name, reason };
}

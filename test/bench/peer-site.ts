/** A peer at work: its producer and its consumer, each a process, on a server that only peers use. */
import { randomBytes } from 'node:crypto';
import { join } from 'node:path';
import { removeDirectory, temporaryDirectory } from '../support/reaper.js';
import { askPostgres } from '../support/servers/local-postgres.js';
import { Arrivals } from './arrivals.js';
import { countPostgres, countRedis, NOTHING_COUNTED } from './counts.js';
import type { LoadReport } from './load-job.js';
import { residentMemory } from './memory.js';
import type { Peer } from './peers.js';
import { processorSeconds, processorSecondsOfFamily } from './processor-time.js';
import { Remote } from './remote.js';
import { packed, type Counts, type Depth, type Load, type PlainReport, type Profile, type Seconds, type Site } from './site.js';

const SUBMIT_MS = 120_000;

export interface PeerSettings {
  readonly concurrency: number;
  /** LISTEN/NOTIFY, where the peer leaves the choice. */
  readonly notify: boolean;
  /** The Node to run it. */
  readonly node: string;
}

export interface PeerServer {
  readonly url: string;
  readonly pid: number | null;
}

export class PeerSite implements Site {
  readonly arrivals: Arrivals;
  private readonly folder = temporaryDirectory('bench');
  private readonly queue = `bench-${randomBytes(4).toString('hex')}`;
  private readonly url: string;
  private producer: Remote | null = null;
  private consumer: Remote | null = null;

  private constructor(
    private readonly peer: Peer,
    private readonly server: PeerServer,
    private readonly settings: PeerSettings,
  ) {
    this.arrivals = new Arrivals(join(this.folder, 'arrivals'));
    this.url = peer.server === 'postgres' ? newPostgresDatabase(server.url) : server.url;
  }

  /** Resolves when both processes are open. */
  static async start(peer: Peer, server: PeerServer, settings: PeerSettings): Promise<PeerSite> {
    const site = new PeerSite(peer, server, settings);
    try {
      site.producer = await site.open('producer');
      site.consumer = await site.open('consumer');
      return site;
    } catch (error) {
      // What keeps it from starting is the news; that the rest then does not stop in order is not.
      await site.close().catch(() => undefined);
      throw error;
    }
  }

  async submit(load: Load): Promise<LoadReport> {
    return packed(await this.producer!.call<PlainReport>('submit', load, SUBMIT_MS));
  }

  /** For a peer the clock stops when the last handler starts. */
  depth(): Promise<Depth> {
    return Promise.resolve({ unfinished: 0, failed: 0 });
  }

  processorTime(): Seconds {
    const { pid } = this.server;
    const ofServer = this.peer.server === 'postgres' ? processorSecondsOfFamily : processorSeconds;
    return { ...this.ofProcesses(processorSeconds), [this.peer.server]: pid === null ? null : ofServer(pid) };
  }

  memory(): Seconds {
    return this.ofProcesses(residentMemory);
  }

  async counts(): Promise<Counts> {
    const counted = this.peer.server === 'postgres' ? countPostgres(this.url) : await countRedis(this.url);
    return { ...NOTHING_COUNTED, ...counted };
  }

  async stopWorking(): Promise<void> {
    const { consumer } = this;
    this.consumer = null;
    await consumer?.close();
  }

  async startWorking(): Promise<void> {
    this.consumer = await this.open('consumer');
  }

  profile(): () => Promise<readonly Profile[]> {
    return () => Promise.resolve([]);
  }

  async close(): Promise<void> {
    const processes = [this.consumer, this.producer];
    this.consumer = null;
    this.producer = null;
    const closed = await Promise.allSettled(processes.map(async (process) => process?.close()));
    this.arrivals.close();
    removeDirectory(this.folder);
    const failure = closed.find((outcome) => outcome.status === 'rejected');
    if (failure !== undefined) throw failure.reason as Error;
  }

  private open(role: 'producer' | 'consumer'): Promise<Remote> {
    const { adapter } = this.peer;
    const { node, notify, concurrency } = this.settings;
    const settings = { url: this.url, queue: this.queue, concurrency, notify };
    return Remote.start({ adapter, role, settings, env: { BENCH_ARRIVALS: this.arrivals.path }, node });
  }

  private ofProcesses(read: (pid: number) => number | null): Record<string, number | null> {
    const processes = [['producer', this.producer] as const, ['consumer', this.consumer] as const];
    return Object.fromEntries(processes.flatMap(([part, process]) => (process === null ? [] : [[part, read(process.pid)]])));
  }
}

function newPostgresDatabase(url: string): string {
  const name = `bench_${randomBytes(6).toString('hex')}`;
  askPostgres(url, `CREATE DATABASE ${name}`);
  const address = new URL(url);
  address.pathname = `/${name}`;
  return address.href;
}

/**
 * Makes one fault happen and undoes it: what was killed is started again, what stood still goes on, what was cut is mended. It
 * resolves when the site is whole again as far as this fault goes, and tells whom it hit and when.
 */
import { join } from 'node:path';
import { setTimeout as pause } from 'node:timers/promises';
import type { PrivateServer } from '../support/servers/server.js';
import { clockMs } from './clock.js';
import { faketimeEnvironment, setDate } from './faketime.js';
import type { KnownTask, Stranger } from './mischief.js';
import type { Node } from './node.js';
import { nameOf, type Clockwork, type Fault, type PlannedFault } from './plan-faults.js';
import { Random } from './random.js';
import type { Servers } from './servers.js';
import type { Site } from './site.js';

/** A fault that has happened; times are ms of `clockMs`. */
export interface FaultRecord {
  readonly index: number;
  /** As in the table. */
  readonly name: string;
  readonly fault: Fault;
  readonly at: number;
  /** When it was undone; what it broke may need longer. */
  healedAt: number;
  /** The process that it hit, or null. */
  readonly pid: number | null;
  note: string;
}

/** Longer than the processes' own budget for stopping. */
const STOP_MS = 20_000;
const JUMP_EVERY_MS = 1_500;
const HOUR_S = 3_600;

export interface Surroundings {
  readonly site: Site;
  readonly servers: Servers;
  readonly stranger: Stranger;
  /** Path of the library that falsifies dates; null where there is none. */
  readonly faketime: string | null;
  readonly directory: string;
  readonly seed: number;
  /** Tasks that were accepted so far. */
  known(): readonly KnownTask[];
}

export class Injector {
  constructor(private readonly around: Surroundings) {}

  /** Rejects where the fault itself could not be brought about. */
  async inject({ index, fault }: PlannedFault, begun: (record: FaultRecord) => void): Promise<FaultRecord> {
    const pid = 'node' in fault ? this.around.site.node(fault.node).life.pid : null;
    const record: FaultRecord = { index, name: nameOf(fault), fault, at: clockMs(), healedAt: Number.NaN, pid, note: '' };
    begun(record);
    record.note = (await this.perform(fault, index)) ?? '';
    record.healedAt = clockMs();
    return record;
  }

  private async perform(fault: Fault, index: number): Promise<string | undefined> {
    const { site, servers, stranger, seed } = this.around;
    switch (fault.kind) {
      case 'kill':
        return this.kill(site.node(fault.node), fault.ms);
      case 'terminate':
        return this.terminate(site.node(fault.node), fault.ms);
      case 'freeze':
        return this.freeze(site.node(fault.node), fault.ms);
      case 'skew':
        return this.skew(site.node(fault.node), fault.clock, fault.ms);
      case 'cut':
      case 'half-open':
      case 'delay': {
        const link = site.node(fault.node).place[fault.server];
        link.disturb(fault.kind === 'delay' ? { kind: 'delay', ms: fault.delayMs } : { kind: fault.kind });
        await pause(fault.ms);
        link.restore();
        return `${fault.ms} ms`;
      }
      case 'redis flushed':
        return (await stranger.flush()) ? undefined : 'Redis did not answer';
      case 'streams deleted':
        return stranger.deleteStreams();
      case 'groups deleted':
        return stranger.deleteGroups();
      case 'consumers deleted':
        return stranger.deleteConsumers();
      case 'keys of a wrong type': {
        const restore = await stranger.spoilKeys(new Random(seed, `keys ${index}`));
        await pause(fault.ms);
        return restore().then(() => `${fault.ms} ms`);
      }
      case 'messages':
        return stranger.sendMessages(fault.count, new Random(seed, `messages ${fault.mischief}`), this.around.known());
      case 'redis killed':
      case 'redis frozen':
        return this.away(servers.redis, fault.kind === 'redis killed', fault.ms);
      case 'database killed':
      case 'database frozen':
        if (servers.database === null) throw new Error('the database is not ours to touch');
        return this.away(servers.database, fault.kind === 'database killed', fault.ms);
    }
  }

  private async kill(node: Node, downMs: number): Promise<string> {
    await node.kill();
    await pause(downMs);
    node.start();
    return (await node.settled()) ? `down ${downMs} ms` : 'not ready again';
  }

  private async terminate(node: Node, downMs: number): Promise<string> {
    const { code, signal } = await node.stop(STOP_MS);
    await pause(downMs);
    node.start();
    return (await node.settled()) ? `exit ${code ?? signal}` : `exit ${code ?? signal}, not ready again`;
  }

  private async freeze(node: Node, ms: number): Promise<string> {
    node.freeze();
    await pause(ms);
    node.thaw();
    return `${ms} ms`;
  }

  /** A rolling restart into a wrong date, and another one out of it. */
  private async skew(node: Node, clock: Clockwork, ms: number): Promise<string> {
    const { faketime, directory } = this.around;
    if (faketime === null) throw new Error('no library that falsifies dates');
    const file = join(directory, `${node.name}.date`);
    setDate(file, clock === '-1h' ? -HOUR_S : HOUR_S);
    await node.stop(STOP_MS);
    node.start(faketimeEnvironment(faketime, file));
    await node.settled();
    const until = clockMs() + ms;
    for (let sign = -1; clockMs() < until; sign = -sign) {
      await pause(Math.min(JUMP_EVERY_MS, ms));
      if (clock === 'jumping') setDate(file, sign * HOUR_S);
    }
    await node.stop(STOP_MS);
    node.start();
    return (await node.settled()) ? `${ms} ms` : 'not ready again';
  }

  private async away(server: PrivateServer, dies: boolean, ms: number): Promise<string> {
    if (dies) await server.kill9();
    else await server.freeze();
    await pause(ms);
    if (dies) await server.restart();
    else await server.thaw();
    return `${ms} ms`;
  }
}

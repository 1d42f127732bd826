/**
 * What goes wrong: every fault of a campaign, in order, drawn from the seed before anything runs. The faults lie in piles, and
 * each round takes one card from every pile in a new order, so that even a short campaign meets every family of faults, and a
 * long one every card several times.
 */
import { Random } from './random.js';
import type { Role } from './node.js';

export type Clockwork = '+1h' | '-1h' | 'jumping';

export type Fault =
  | { readonly kind: 'kill'; readonly node: string; readonly ms: number }
  | { readonly kind: 'freeze'; readonly node: string; readonly ms: number }
  | { readonly kind: 'terminate'; readonly node: string; readonly ms: number }
  | { readonly kind: 'skew'; readonly node: string; readonly ms: number; readonly clock: Clockwork }
  | { readonly kind: 'cut' | 'half-open'; readonly node: string; readonly server: Server; readonly ms: number }
  | { readonly kind: 'delay'; readonly node: string; readonly server: Server; readonly ms: number; readonly delayMs: number }
  | { readonly kind: 'redis flushed' | 'streams deleted' | 'groups deleted' | 'consumers deleted' }
  | { readonly kind: 'keys of a wrong type' | 'redis killed' | 'redis frozen'; readonly ms: number }
  | { readonly kind: 'messages'; readonly count: number; readonly mischief: number }
  | { readonly kind: 'database killed' | 'database frozen'; readonly ms: number };

export type Server = 'database' | 'redis';

/** A fault in its place: `index` from 0; `role` where it has one. */
export interface PlannedFault {
  readonly index: number;
  readonly fault: Fault;
}

export interface Means {
  /** Processes by role. */
  readonly nodes: readonly { readonly name: string; readonly role: Role }[];
  /** Whether the database server may be killed and frozen. */
  readonly database: boolean;
  /** Whether a process can be given a wrong date. */
  readonly faketime: boolean;
}

type Draw = (random: Random, means: Means) => Fault;

export function planFaults(seed: number, count: number, means: Means): PlannedFault[] {
  const random = new Random(seed, 'faults');
  const piles = pilesOf(means);
  const left = piles.map((pile) => random.shuffled(pile));
  const planned: PlannedFault[] = [];
  while (planned.length < count) {
    for (const at of random.shuffled([...piles.keys()])) {
      if (planned.length === count) break;
      if (left[at]?.length === 0) left[at] = random.shuffled(piles[at] ?? []);
      const draw = left[at]?.pop();
      if (draw !== undefined) planned.push({ index: planned.length, fault: draw(random, means) });
    }
  }
  return planned;
}

/** How a fault is called in the table. */
export function nameOf(fault: Fault): string {
  switch (fault.kind) {
    case 'kill':
    case 'freeze':
    case 'terminate':
      return `${fault.kind} ${roleOf(fault.node)}`;
    case 'skew':
      return `clock of ${roleOf(fault.node)} ${fault.clock}`;
    case 'cut':
    case 'half-open':
    case 'delay':
      return `${fault.kind} ${roleOf(fault.node)}–${fault.server}`;
    default:
      return fault.kind;
  }
}

/** What it holds while it lasts; two faults with something in common take turns. */
export function targetsOf(fault: Fault): readonly string[] {
  if ('node' in fault) return [fault.node];
  return [fault.kind.startsWith('database') ? 'database' : 'redis'];
}

export function roleOf(node: string): Role {
  return node.replace(/-\d+$/, '') as Role;
}

/** Longer than a lease, with the sweep that follows it. */
const FREEZE_MS = [4_500, 8_000] as const;

function pilesOf({ database, faketime }: Means): Draw[][] {
  const deaths = [kill('worker'), kill('worker'), kill('worker'), kill('api'), kill('scheduler'), terminate('worker'), terminate('api')];
  const stillness = [freeze('worker'), freeze('worker'), freeze('api'), freeze('scheduler')];
  const links = (['database', 'redis'] as const).flatMap((server) =>
    (['cut', 'half-open', 'delay'] as const).flatMap((kind) => [
      link(kind, 'worker', server),
      link(kind, 'worker', server),
      link(kind, 'api', server),
      link(kind, 'scheduler', server),
    ]),
  );
  const redis = [plain('redis flushed'), plain('redis flushed'), away('redis killed'), away('redis killed'), away('redis frozen')];
  const streams = [plain('streams deleted'), plain('groups deleted'), plain('consumers deleted'), away('keys of a wrong type')];
  const dates = (['worker', 'scheduler', 'api'] as const).flatMap((role) => [skew(role, '+1h'), skew(role, '-1h'), skew(role, 'jumping')]);
  const piles = [deaths, stillness, links, redis, streams, [messages]];
  if (database) piles.push([away('database killed'), away('database frozen')]);
  if (faketime) piles.push([...dates, terminate('scheduler'), terminate('worker')]);
  return piles;
}

function nodeOf(random: Random, { nodes }: Means, role: Role): string {
  return random.pick(nodes.filter((node) => node.role === role)).name;
}

function kill(role: Role): Draw {
  return (random, means) => ({ kind: 'kill', node: nodeOf(random, means, role), ms: random.whole(0, 3_000) });
}

function terminate(role: Role): Draw {
  return (random, means) => ({ kind: 'terminate', node: nodeOf(random, means, role), ms: random.whole(0, 1_000) });
}

function freeze(role: Role): Draw {
  return (random, means) => ({ kind: 'freeze', node: nodeOf(random, means, role), ms: random.whole(...FREEZE_MS) });
}

function skew(role: Role, clock: Clockwork): Draw {
  return (random, means) => ({ kind: 'skew', node: nodeOf(random, means, role), clock, ms: random.whole(4_000, 8_000) });
}

function link(kind: 'cut' | 'half-open' | 'delay', role: Role, server: Server): Draw {
  return (random, means) => {
    const common = { node: nodeOf(random, means, role), server, ms: random.whole(...FREEZE_MS) };
    if (kind !== 'delay') return { kind, ...common };
    return { kind, ...common, delayMs: random.pick([50, 200, 600, 1_500]) };
  };
}

function plain(kind: 'redis flushed' | 'streams deleted' | 'groups deleted' | 'consumers deleted'): Draw {
  return () => ({ kind });
}

function away(kind: 'keys of a wrong type' | 'redis killed' | 'redis frozen' | 'database killed' | 'database frozen'): Draw {
  return (random) => ({ kind, ms: random.whole(2_000, 6_000) });
}

function messages(random: Random): Fault {
  return { kind: 'messages', count: random.whole(20, 200), mischief: random.whole(0, 2 ** 31) };
}

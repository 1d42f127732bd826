/** What is submitted: every task of a campaign, in order, drawn from the seed before anything runs. */
import type { WireNewTask } from '../support/wire.js';
import { Random } from './random.js';

export const KINDS = ['quick', 'sleeping', 'flaky', 'hopeless', 'delayed', 'cancelled', 'snoozed', 'checkpointed', 'long'] as const;
export type Kind = (typeof KINDS)[number];

export const TENANTS = ['chaos-a', 'chaos-b'] as const;
export const QUEUES = ['chaos-one', 'chaos-two', 'chaos-three'] as const;

/** How often a flaky task fails before it succeeds. */
export const FLAKY_FAILURES = 2;
/** How many steps a checkpointed task saves. */
export const STEPS = 3;

const SHARES: Readonly<Record<Kind, number>> = {
  quick: 36,
  sleeping: 28,
  flaky: 8,
  hopeless: 4,
  delayed: 7,
  cancelled: 4,
  snoozed: 4,
  checkpointed: 4,
  long: 5,
};

export interface PlannedTask {
  /** From 0; the payload carries it, so that every effect can be traced to the submission it comes from. */
  readonly n: number;
  readonly kind: Kind;
  readonly tenant: string;
  readonly body: WireNewTask;
  /** Sent in one request with its neighbours of the same number; null is a request of its own. */
  readonly batch: number | null;
  /** Sent twice at the same time, to two apis. */
  readonly twice: boolean;
  /** How long after its acceptance the client asks for the task to be cancelled; null for never. */
  readonly cancelAfterMs: number | null;
}

const BATCH_EVERY = 40;
const BATCH_SIZE = 8;
const TWICE_SHARE = 0.04;

export function planTasks(seed: number, count: number, kinds: readonly Kind[] = KINDS): PlannedTask[] {
  const random = new Random(seed, 'tasks');
  const deck = kinds.flatMap((kind) => Array.from({ length: SHARES[kind] }, () => kind));
  return Array.from({ length: count }, (_, n) => planned(random, n, random.pick(deck)));
}

/** How many executions of the planned tasks are expected to return normally, whatever is repeated. */
export function expectedReturns(tasks: readonly PlannedTask[]): number {
  return tasks.filter(({ kind }) => kind !== 'hopeless' && kind !== 'cancelled').length;
}

export function keyOf(seed: number, n: number): string {
  return `chaos-${seed}-${n}`;
}

function planned(random: Random, n: number, kind: Kind): PlannedTask {
  const { payload, more } = workOf(random, kind);
  const queue = random.pick(QUEUES);
  const priority = random.pick([-100, -1, 0, 0, 0, 1, 100]);
  // A batch belongs to one token, so its members have one tenant.
  const batch = n % BATCH_EVERY < BATCH_SIZE ? Math.floor(n / BATCH_EVERY) : null;
  const drawn = random.pick(TENANTS);
  return {
    n,
    kind,
    tenant: batch === null ? drawn : TENANTS[batch % 2 === 0 ? 0 : 1],
    body: { name: `chaos.${kind}`, queue, priority, payload: { n, ...payload }, ...more },
    batch,
    twice: random.chance(TWICE_SHARE),
    cancelAfterMs: kind === 'cancelled' ? random.whole(0, 2_500) : null,
  };
}

function workOf(random: Random, kind: Kind): { payload: object; more: object } {
  const ms = random.whole(50, 500);
  switch (kind) {
    case 'quick':
    case 'hopeless':
      return { payload: {}, more: {} };
    case 'sleeping':
      return { payload: { ms }, more: {} };
    case 'flaky':
      return { payload: { failures: FLAKY_FAILURES }, more: {} };
    case 'delayed':
      return { payload: { ms: Math.round(ms / 5) }, more: { delayMs: random.whole(200, 4_000) } };
    case 'cancelled':
      return { payload: { ms: random.whole(1_500, 4_000) }, more: random.chance(0.3) ? { delayMs: random.whole(500, 2_000) } : {} };
    case 'snoozed':
      return { payload: { times: random.whole(1, 3), ms: random.whole(50, 1_000) }, more: {} };
    case 'checkpointed':
      return { payload: { steps: STEPS, ms: random.whole(100, 700) }, more: {} };
    case 'long':
      return { payload: { ms: random.whole(3_500, 6_000) }, more: {} };
  }
}

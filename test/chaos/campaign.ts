/**
 * One campaign: servers and processes up, load and faults side by side, everything healed, and then patience until nothing is
 * unfinished or nothing moves any more. A fault begins when the work has come so far, not when the clock has, so that a slow
 * machine meets the same faults in the same places.
 */
import { setTimeout as pause } from 'node:timers/promises';
import { clockMs } from './clock.js';
import type { Evidence } from './evidence.js';
import { findFaketime } from './faketime.js';
import { Injector, type FaultRecord } from './inject.js';
import { judge } from './judge.js';
import { Ledger } from './ledger.js';
import { Load } from './load.js';
import { Stranger } from './mischief.js';
import type { Options } from './options.js';
import { nameOf, planFaults, targetsOf, type PlannedFault } from './plan-faults.js';
import { expectedReturns, planTasks } from './plan-tasks.js';
import { Register } from './register.js';
import type { Campaign } from './report.js';
import { startServers, type Servers } from './servers.js';
import { CONCURRENCY, nodeNames, POISON_CRASHES, PROCESSES, Site } from './site.js';
import { Witness } from './witness.js';

/** How many faults may last at the same time. */
const OVERLAP_MAX = 2;
const LOOK_MS = 20;
/** With nothing broken, work that does not move for so long will not move any more. */
const PATIENCE_MS = 45_000;
const PATIENCE_LOOK_MS = 250;

export interface Ground {
  readonly options: Options;
  /** For everything that is written. */
  readonly directory: string;
  say(text: string): void;
}

/** What is to be taken down afterwards, whatever happened. */
export interface Standing {
  servers: Servers | null;
  site: Site | null;
  stranger: Stranger | null;
  witness: Witness | null;
}

export async function run({ options, directory, say }: Ground, standing: Standing): Promise<Campaign> {
  const faketime = findFaketime(!options.short);
  const servers = (standing.servers = await startServers(options.database));
  const witness = (standing.witness = new Witness(directory));
  const site = (standing.site = await Site.start(servers, witness, directory));
  const stranger = (standing.stranger = new Stranger(servers.redis.url));
  const plan = planTasks(options.seed, options.tasks, options.kinds);
  const means = { nodes: nodeNames(), database: servers.database !== null, faketime: faketime !== null };
  const faults = planFaults(options.seed, options.faults, means);
  const ledger = new Ledger(plan);
  const known = (): { tenant: string; id: string }[] =>
    ledger.accepted.map(({ plan: { tenant }, ids }) => ({ tenant, id: [...ids][0] ?? '' }));
  const injector = new Injector({ site, servers, stranger, faketime, directory, seed: options.seed, known });
  const register = new Register(servers.databaseUrl);
  const startedAt = clockMs();
  const over = AbortSignal.timeout(options.minutes * 60_000);
  const load = new Load(ledger, { seed: options.seed, fronts: site.fronts, ratePerSecond: options.rate, signal: over });
  const flusher = flushing(stranger, options.flushEveryMs);
  const loading = load.run();
  const happened = await new Course(injector, witness, expectedReturns(plan), over, say).take(faults);
  await Promise.race([loading, settled(over)]);
  const unfinished = await finish(register, witness, ledger, over);
  const flushes = flusher.stop();
  const endedAt = clockMs();
  if (unfinished > 0) say(`${unfinished} tasks have not ended, and nothing moves any more.`);
  witness.read();
  const evidence: Evidence = {
    ...{ submissions: ledger.submissions, odd: ledger.odd, lines: witness.lines, effects: witness.effects() },
    ...{ tasks: await register.tasks(), attempts: await register.attempts() },
    ...{ lives: site.nodes.flatMap(({ lives }) => lives), faults: happened },
    ...{ concurrency: CONCURRENCY, workers: PROCESSES.worker, poisonCrashes: POISON_CRASHES, endedAt },
  };
  return {
    ...{ options, versions: servers.versions, lastedMs: endedAt - startedAt, flushes, ledger, evidence },
    leftOut: [
      ...(means.faketime ? [] : ['clock skew, because libfaketime (Debian: faketime) cannot be had here.']),
      ...(means.database ? [] : ['faults of the database server, because it is not ours.']),
    ],
    judgement: judge(evidence),
  };
}

/** The faults in their order, each when the work has come so far and what it hits is whole. */
class Course {
  private readonly active = new Map<PlannedFault, Promise<void>>();
  private readonly happened: FaultRecord[] = [];
  private movedAt = clockMs();
  private lastReturns = 0;

  constructor(
    private readonly injector: Injector,
    private readonly witness: Witness,
    private readonly expected: number,
    private readonly over: AbortSignal,
    private readonly say: (text: string) => void,
  ) {}

  async take(faults: readonly PlannedFault[]): Promise<FaultRecord[]> {
    for (const planned of faults) {
      const dueAt = (this.expected * (planned.index + 1)) / (faults.length + 2);
      if (!(await this.turnOf(planned, dueAt))) break;
      this.begin(planned);
    }
    await Promise.all(this.active.values());
    return this.happened.sort((a, b) => a.index - b.index);
  }

  /** False where it never comes: the work stands still with nothing broken, or the time is over. */
  private async turnOf({ fault }: PlannedFault, dueAt: number): Promise<boolean> {
    const targets = targetsOf(fault);
    for (;;) {
      const { returns } = this.witness;
      if (returns !== this.lastReturns || this.active.size > 0) this.movedAt = clockMs();
      this.lastReturns = returns;
      const taken = [...this.active.keys()].flatMap((other) => targetsOf(other.fault));
      const free = this.active.size < OVERLAP_MAX && !targets.some((target) => taken.includes(target));
      if (returns >= dueAt && free) return true;
      if (this.over.aborted || clockMs() - this.movedAt > PATIENCE_MS) return false;
      await pause(LOOK_MS);
    }
  }

  private begin(planned: PlannedFault): void {
    const { index, fault } = planned;
    const where = 'node' in fault ? ` (${fault.node})` : '';
    this.say(`fault ${index}: ${nameOf(fault)}${where}, ${this.lastReturns} executions returned`);
    const lasting = this.injector
      .inject(planned, (record) => this.happened.push(record))
      .catch((error: unknown) => {
        const record = this.happened.find((other) => other.index === index);
        if (record !== undefined) Object.assign(record, { healedAt: clockMs(), note: `not as planned: ${String(error)}` });
        this.say(`fault ${index} was not as planned: ${String(error)}`);
      })
      .then(() => {
        this.active.delete(planned);
      });
    this.active.set(planned, lasting);
  }
}

/** Empties Redis again and again, until told to stop; `stop` tells how often. */
function flushing(stranger: Stranger, everyMs: number | null): { stop(): number } {
  let times = 0;
  const timer =
    everyMs === null
      ? undefined
      : setInterval(() => {
          void stranger.flush().then((done) => {
            if (done) times += 1;
          });
        }, everyMs);
  return {
    stop() {
      clearInterval(timer);
      return times;
    },
  };
}

/** Resolves with how many tasks have not ended, once that is none, or once nothing moves any more. */
async function finish(register: Register, witness: Witness, ledger: Ledger, over: AbortSignal): Promise<number> {
  let movedAt = clockMs();
  let last = '';
  for (;;) {
    const unfinished = await register.unfinished().catch(() => Number.POSITIVE_INFINITY);
    const allIn = ledger.accepted.length === ledger.submissions.length;
    if (unfinished === 0 && allIn) return 0;
    witness.read();
    const standing = `${unfinished} ${witness.lines.length} ${ledger.accepted.length}`;
    if (standing !== last) movedAt = clockMs();
    last = standing;
    if (over.aborted || clockMs() - movedAt > PATIENCE_MS) return unfinished;
    await pause(PATIENCE_LOOK_MS);
  }
}

async function settled(signal: AbortSignal): Promise<void> {
  if (signal.aborted) return;
  await new Promise((resolve) => {
    signal.addEventListener('abort', resolve, { once: true });
  });
}

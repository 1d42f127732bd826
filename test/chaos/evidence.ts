/** All that a campaign leaves behind, and the views of it that the judge asks for. */
import type { FaultRecord } from './inject.js';
import type { OddAnswer, Submission } from './ledger.js';
import type { Life } from './node.js';
import type { AttemptRow, TaskRow } from './register.js';
import type { Effect, Line } from './witness.js';

export interface Evidence {
  readonly submissions: readonly Submission[];
  readonly odd: readonly OddAnswer[];
  readonly lines: readonly Line[];
  readonly effects: readonly Effect[];
  readonly tasks: readonly TaskRow[];
  readonly attempts: readonly AttemptRow[];
  readonly lives: readonly Life[];
  readonly faults: readonly FaultRecord[];
  /** Slots per worker, and worker processes. */
  readonly concurrency: number;
  readonly workers: number;
  /** How many deaths make a task poison. */
  readonly poisonCrashes: number;
  /** When the campaign was over, ms of `clockMs`. */
  readonly endedAt: number;
}

/** One execution as the journal tells it. */
export interface Execution {
  readonly id: string;
  readonly attempt: number;
  readonly pid: number;
  readonly startedAt: number;
  /** When its handler ended, or its process did. */
  readonly endedAt: number;
  /** How the handler ended; null where its process ended first. */
  readonly ending: 'end' | 'throw' | null;
  /** Name and code of what it threw. */
  readonly thrown: string;
  readonly lines: readonly Line[];
}

const NONE: readonly never[] = [];

export class Case {
  private readonly rowOfId: ReadonlyMap<string, TaskRow>;
  private readonly attemptsOfId: ReadonlyMap<string, readonly AttemptRow[]>;
  private readonly executionsOfId: ReadonlyMap<string, readonly Execution[]>;
  private readonly livesOfPid: ReadonlyMap<number, readonly Life[]>;

  constructor(readonly evidence: Evidence) {
    this.rowOfId = new Map(evidence.tasks.map((row) => [row.id, row]));
    this.attemptsOfId = grouped(evidence.attempts, ({ id }) => id);
    this.livesOfPid = grouped(evidence.lives, ({ pid }) => pid);
    const lines = grouped(evidence.lines, ({ id, attempt }) => `${id} ${attempt}`);
    this.executionsOfId = grouped(
      [...lines.values()].flatMap((group) => this.executionsIn(group)),
      ({ id }) => id,
    );
  }

  row(id: string): TaskRow | undefined {
    return this.rowOfId.get(id);
  }

  /** In the order of their numbers. */
  attempts(id: string): readonly AttemptRow[] {
    return this.attemptsOfId.get(id) ?? NONE;
  }

  attempt(id: string, attempt: number): AttemptRow | undefined {
    return this.attempts(id).find((row) => row.attempt === attempt);
  }

  /** In the order of their starts. */
  executions(id: string): readonly Execution[] {
    return this.executionsOfId.get(id) ?? NONE;
  }

  /** The process that ran under this number at that moment. */
  life(pid: number, at: number): Life | undefined {
    return this.livesOfPid.get(pid)?.find((life) => life.bornAt <= at && (life.endedAt ?? Number.POSITIVE_INFINITY) >= at);
  }

  /** Whether its process was killed while the handler was at it. */
  diedWith({ pid, startedAt, ending }: Execution): boolean {
    const life = this.life(pid, startedAt);
    return ending === null && (life?.end === 'killed' || life?.end === 'itself');
  }

  /** Whether its process stood still for a part of it. */
  wasFrozen({ pid, startedAt, endedAt }: Execution): boolean {
    return (
      this.life(pid, startedAt)?.frozen.some(({ from, to }) => from <= endedAt && (to ?? Number.POSITIVE_INFINITY) >= startedAt) ?? false
    );
  }

  /** The lines of one attempt; a second `start` among them is a second execution. */
  private executionsIn(lines: readonly Line[]): Execution[] {
    const groups: Line[][] = [];
    for (const line of [...lines].sort((a, b) => a.at - b.at)) {
      if (line.what === 'start' || groups.length === 0) groups.push([line]);
      else groups.findLast((group) => group[0]?.pid === line.pid)?.push(line);
    }
    return groups.flatMap((group) => {
      const [start] = group;
      if (start === undefined) return [];
      const last = group.find(({ what }) => what === 'end' || what === 'throw');
      const died = this.life(start.pid, start.at)?.endedAt ?? this.evidence.endedAt;
      return [
        {
          ...{ id: start.id, attempt: start.attempt, pid: start.pid, startedAt: start.at, endedAt: last?.at ?? died },
          ending: last?.what === 'end' || last?.what === 'throw' ? last.what : null,
          thrown: `${last?.error ?? ''} ${last?.code ?? ''}`.trim(),
          lines: group,
        },
      ];
    });
  }
}

export function grouped<T, K>(all: readonly T[], keyOf: (one: T) => K): Map<K, T[]> {
  const groups = new Map<K, T[]>();
  for (const one of all) {
    const group = groups.get(keyOf(one));
    if (group === undefined) groups.set(keyOf(one), [one]);
    else group.push(one);
  }
  return groups;
}

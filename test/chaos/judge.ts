/**
 * Holds what the system has recorded against what its clients were told and what the handlers have done. A pure function of the
 * evidence: `judge.spec.ts` shows with forged evidence that each of its counters can rise.
 */
import * as acceptance from './check-acceptance.js';
import * as executions from './check-executions.js';
import * as outcomes from './check-outcomes.js';
import { Case, type Evidence } from './evidence.js';
import type { Check, Finding } from './finding.js';
import { recoveries, waitsOf, type Recovery, type Wait } from './recovery.js';

/** In the order of the table. */
export const CHECKS: readonly Check[] = [
  ...[acceptance.lost, acceptance.split, acceptance.unanswered, acceptance.odd, acceptance.closedDoor],
  ...[outcomes.stuck, outcomes.double, outcomes.contradicted, outcomes.wrongEnd, outcomes.falsePoison, outcomes.gaps],
  ...[executions.unrecorded, executions.doubleEffects, executions.missingEffects, executions.overlapping],
  ...[executions.forgotten, executions.tooOften, executions.unaskedExits],
];

export interface Figures {
  /** Executions whose end counted for nothing, and how many the faults explain. */
  readonly repeated: number;
  readonly repeatable: number;
  /** Executions of one task at the same time after a lost lease, and how many of those in a process that stood still. */
  readonly overlaps: number;
  readonly overlapsFrozen: number;
  /** Tasks that the campaign has killed often enough to make them poison. */
  readonly poisoned: number;
  /** Processes that gave up before they were ready, while the database was away. */
  readonly failedStarts: number;
  /** Accepted during outages of Redis. */
  readonly acceptedWithoutRedis: number;
  /** Of each task that could start at once. */
  readonly waits: readonly Wait[];
}

export interface Judgement {
  readonly findings: ReadonlyMap<Check, readonly Finding[]>;
  readonly figures: Figures;
  readonly recoveries: readonly Recovery[];
}

export function judge(evidence: Evidence): Judgement {
  const found = new Case(evidence);
  const overlaps = executions.overlapsOf(found).filter(({ earlier }) => found.attempt(earlier.id, earlier.attempt)?.outcome === 'lost');
  const outages = acceptance.redisOutages(evidence.faults);
  return {
    findings: new Map(CHECKS.map((check) => [check, check.find(found)])),
    figures: {
      repeated: executions.repeated(found),
      repeatable: executions.repeatable(found),
      overlaps: overlaps.length,
      overlapsFrozen: overlaps.filter(({ earlier }) => found.wasFrozen(earlier)).length,
      poisoned: evidence.tasks.filter(({ reason }) => reason === 'poison').length,
      failedStarts: executions.failedStarts(found),
      acceptedWithoutRedis: outages.reduce((sum, { from, to }) => sum + acceptance.acceptedWithin(evidence, from, to), 0),
      waits: waitsOf(found),
    },
    recoveries: recoveries(found),
  };
}

export function violations({ findings }: Judgement): number {
  return [...findings.values()].reduce((sum, found) => sum + found.length, 0);
}

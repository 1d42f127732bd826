/** A campaign can be repeated: the seed alone decides what is submitted and what goes wrong. */
import { describe, expect, it } from '@jest/globals';
import { nameOf, planFaults, roleOf, targetsOf, type Means } from './plan-faults.js';
import { KINDS, planTasks } from './plan-tasks.js';
import { Random } from './random.js';

const MEANS: Means = {
  nodes: (['api', 'worker', 'scheduler'] as const).flatMap((role) => [1, 2].map((number) => ({ name: `${role}-${number}`, role }))),
  database: true,
  faketime: true,
};

const familyOf = (kind: string): string => kind.split(' ')[0] ?? '';

describe('the plan', () => {
  it('is the same for the same seed, and another for another', () => {
    expect(planTasks(7, 500)).toEqual(planTasks(7, 500));
    expect(planTasks(7, 500)).not.toEqual(planTasks(8, 500));
    expect(planFaults(7, 60, MEANS)).toEqual(planFaults(7, 60, MEANS));
    expect(planFaults(7, 60, MEANS)).not.toEqual(planFaults(8, 60, MEANS));
  });

  it('begins in the same way however long it is', () => {
    expect(planTasks(7, 50)).toEqual(planTasks(7, 500).slice(0, 50));
    expect(planFaults(7, 9, MEANS)).toEqual(planFaults(7, 60, MEANS).slice(0, 9));
  });

  it('has every kind of task, and numbers that the payload carries', () => {
    const tasks = planTasks(1, 1_000);
    expect(new Set(tasks.map(({ kind }) => kind))).toEqual(new Set(KINDS));
    expect(tasks.every(({ n, body }) => (body['payload'] as { n: number }).n === n)).toBe(true);
  });

  it('gives the members of a batch one tenant', () => {
    const tenants = new Map<number, Set<string>>();
    for (const { batch, tenant } of planTasks(3, 2_000)) {
      if (batch !== null) tenants.set(batch, (tenants.get(batch) ?? new Set()).add(tenant));
    }
    expect(tenants.size).toBeGreaterThan(10);
    expect([...tenants.values()].every(({ size }) => size === 1)).toBe(true);
  });

  it.each([1, 2, 3, 4, 5])('meets every family of faults in its first eight (seed %i)', (seed) => {
    const kinds = planFaults(seed, 8, MEANS).map(({ fault }) => familyOf(fault.kind));
    expect(new Set(kinds).size).toBeGreaterThanOrEqual(6);
    expect(kinds).toContain('database');
    expect(kinds).toContain('messages');
  });

  it('meets every fault in a long campaign', () => {
    const names = new Set(planFaults(1, 400, MEANS).map(({ fault }) => nameOf(fault)));
    for (const role of ['api', 'worker', 'scheduler']) {
      for (const what of ['kill', 'freeze', 'terminate']) expect(names).toContain(`${what} ${role}`);
      for (const what of ['cut', 'half-open', 'delay']) {
        for (const server of ['database', 'redis']) expect(names).toContain(`${what} ${role}–${server}`);
      }
      for (const clock of ['+1h', '-1h', 'jumping']) expect(names).toContain(`clock of ${role} ${clock}`);
    }
    for (const name of ['redis flushed', 'redis killed', 'redis frozen', 'database killed', 'database frozen'])
      expect(names).toContain(name);
    for (const name of ['streams deleted', 'groups deleted', 'consumers deleted', 'keys of a wrong type', 'messages'])
      expect(names).toContain(name);
  });

  it('leaves out what the machine cannot do', () => {
    const kinds = planFaults(1, 200, { ...MEANS, database: false, faketime: false }).map(({ fault }) => fault.kind);
    expect(kinds.filter((kind) => kind === 'skew' || kind.startsWith('database'))).toEqual([]);
  });

  it('names processes that exist, each a target of its own', () => {
    const names = MEANS.nodes.map(({ name }) => name);
    for (const { fault } of planFaults(5, 200, MEANS)) {
      if (!('node' in fault)) continue;
      expect(names).toContain(fault.node);
      expect(targetsOf(fault)).toEqual([fault.node]);
      expect(['api', 'worker', 'scheduler']).toContain(roleOf(fault.node));
    }
  });
});

describe('chance', () => {
  it('stays in its bounds and comes near its mean', () => {
    const random = new Random(1, 'test');
    const numbers = Array.from({ length: 10_000 }, () => random.next());
    expect(numbers.every((number) => number >= 0 && number < 1)).toBe(true);
    expect(numbers.reduce((sum, number) => sum + number, 0) / numbers.length).toBeCloseTo(0.5, 1);
    const dice = new Set(Array.from({ length: 1_000 }, () => random.whole(1, 6)));
    expect([...dice].sort()).toEqual([1, 2, 3, 4, 5, 6]);
  });

  it('shuffles without losing a card', () => {
    const cards = Array.from({ length: 52 }, (_, index) => index);
    const shuffled = new Random(2, 'cards').shuffled(cards);
    expect(shuffled).not.toEqual(cards);
    expect([...shuffled].sort((a, b) => a - b)).toEqual(cards);
  });
});

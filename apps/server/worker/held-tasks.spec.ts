import { describe, expect, it } from '@jest/globals';
import type { ClaimedTask } from '@app/tasks';
import { holding, type Held } from './held.js';
import { HeldTasks } from './held-tasks.js';

const attemptOf = (id: string, attempt: number): Held =>
  holding(Buffer.alloc(16), { id, attempt } as unknown as ClaimedTask, () => true, 0);

describe('HeldTasks', () => {
  it('finds each attempt of a task for as long as it is held, and no other', () => {
    const tasks = new HeldTasks();
    const [first, second, other] = [attemptOf('a', 1), attemptOf('a', 2), attemptOf('b', 1)];
    for (const held of [first, second, other]) tasks.add(held);
    expect([tasks.size, tasks.of('a'), tasks.of('c')]).toEqual([3, [first, second], []]);
    expect(tasks.find({ id: 'a', attempt: 2 })).toBe(second);
    const listed = tasks.list();
    tasks.delete(first);
    tasks.delete(other);
    expect(listed).toEqual([first, second, other]);
    expect([tasks.size, tasks.of('a'), tasks.of('b')]).toEqual([1, [second], []]);
    expect(tasks.find({ id: 'a', attempt: 1 })).toBeUndefined();
  });
});

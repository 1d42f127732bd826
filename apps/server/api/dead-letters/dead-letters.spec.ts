import { afterAll, beforeAll, describe, expect, it } from '@jest/globals';
import { startFront, type Front } from '../../../../test/support/front.js';

let front: Front;
beforeAll(async () => {
  front = await startFront();
  await front.post('/api/tasks', { name: 'echo' });
  const { id } = (await (await front.post('/api/tasks', { name: 'echo' })).json()) as { id: string };
  await front.post(`/api/tasks/${id}/discard`, null);
});
afterAll(() => front.close());

describe('dead letters', () => {
  it('are the failed tasks, and not those that wait', async () => {
    expect(await (await front.call('/api/dead-letters')).json()).toEqual({
      items: [expect.objectContaining({ state: 'failed' })],
      nextCursor: null,
    });
  });

  it('are counted', async () => {
    expect(await (await front.call('/api/dead-letters/summary')).json()).toEqual({
      total: 2,
      countedUpTo: 10_000,
      items: [
        {
          ...{ reason: 'poison', name: 'echo', queue: 'default', count: 2 },
          ...{ oldestFinishedAt: '1970-01-01T00:00:00.001Z', newestFinishedAt: '1970-01-01T00:00:00.002Z' },
        },
      ],
    });
  });

  it.each([
    ['/api/dead-letters?state=failed', 'unknown-parameter'],
    ['/api/dead-letters?discarded=true', 'unknown-parameter'],
    ['/api/dead-letters?reason=none', 'invalid-query'],
    ['/api/dead-letters/summary?name=echo', 'unknown-parameter'],
    ['/api/tasks?discarded=1', 'invalid-query'],
    ['/api/tasks?reason=bad', 'invalid-query'],
  ])('refuse %s', async (path, code) => {
    const response = await front.call(path);
    expect([response.status, await response.json()]).toEqual([400, expect.objectContaining({ code })]);
  });
});

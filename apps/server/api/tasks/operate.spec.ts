import { afterAll, beforeAll, beforeEach, describe, expect, it } from '@jest/globals';
import type { Scope } from '@app/auth';
import { startFront, type Front } from '../../../../test/support/front.js';

let front: Front;
let id: string;
beforeAll(async () => {
  front = await startFront({ PAYLOAD_MAX_BYTES: '1024' });
});
afterAll(() => front.close());
beforeEach(async () => {
  id = ((await (await front.post('/api/tasks', { name: 'echo' })).json()) as { id: string }).id;
  await front.call(`/api/tasks/${id}/cancel`, { method: 'POST' });
  front.tasks.operatorCalls.length = 0;
});

const send = (path: string, body: object | null, scopes?: Scope[]): Promise<Response> =>
  front.post(path, body, scopes === undefined ? {} : { authorization: `Bearer ${front.token({ scopes })}` });

describe('what an operator says', () => {
  it('reaches the task: payload and reason of a retry', async () => {
    expect((await send(`/api/tasks/${id}/retry`, { payload: { n: 2 }, reason: 'typo\n\tfixed' })).status).toBe(200);
    expect(front.tasks.operatorCalls).toEqual([{ action: 'retry', actor: 'tester', payload: '{"n":2}', reason: 'typo\n\tfixed' }]);
  });

  it('may be a payload of null, which is another one than none', async () => {
    await send(`/api/tasks/${id}/retry`, { payload: null });
    await front.call(`/api/tasks/${id}/cancel`, { method: 'POST' });
    await send(`/api/tasks/${id}/retry`, {});
    expect(front.tasks.operatorCalls.filter(({ action }) => action === 'retry').map(({ payload }) => payload)).toEqual(['null', undefined]);
  });

  it.each(['cancel', 'discard'])('reaches the task: the reason of a %s', async (action) => {
    expect((await send(`/api/tasks/${id}/${action}`, { reason: 'r'.repeat(500) })).status).toBe(200);
    expect((await send(`/api/tasks/${id}/${action}`, null)).status).toBe(200);
    expect(front.tasks.operatorCalls).toEqual([
      { action, actor: 'tester', reason: 'r'.repeat(500) },
      { action, actor: 'tester', reason: '' },
    ]);
  });

  it('marks a discarded task', async () => {
    expect(await (await send(`/api/tasks/${id}/discard`, null)).json()).toMatchObject({ id, state: 'failed', discarded: true });
    expect(await (await front.call(`/api/tasks/${id}`)).json()).toMatchObject({ discarded: false });
  });

  it.each<[string, object, string, string]>([
    ['retry', { payload: 1, queue: 'x' }, '/queue', 'unknown-field'],
    ['retry', { reason: '' }, '/reason', 'invalid-text'],
    ['retry', { reason: ' \n' }, '/reason', 'invalid-text'],
    ['retry', { reason: null }, '/reason', 'invalid-text'],
    ['retry', { reason: 'a\u0000b' }, '/reason', 'invalid-text'],
    ['retry', { reason: 'a\u009bb' }, '/reason', 'invalid-text'],
    ['cancel', { reason: 'r'.repeat(501) }, '/reason', 'invalid-text'],
    ['cancel', { payload: 1 }, '/payload', 'unknown-field'],
    ['discard', { reason: 5 }, '/reason', 'invalid-text'],
  ])('is refused where it does not do: %s %j', async (action, body, pointer, code) => {
    const response = await send(`/api/tasks/${id}/${action}`, body);
    expect([response.status, await response.json()]).toEqual([
      422,
      expect.objectContaining({ code: 'validation-failed', errors: [expect.objectContaining({ pointer, code })] }),
    ]);
    expect(front.tasks.operatorCalls).toEqual([]);
  });

  it('has the limits of a submission', async () => {
    const large = await send(`/api/tasks/${id}/retry`, { payload: 'x'.repeat(1_023) });
    expect([large.status, await large.json()]).toEqual([413, expect.objectContaining({ code: 'payload-too-large' })]);
    const deep = await front.post(`/api/tasks/${id}/retry`, `{"payload":${'['.repeat(33)}${']'.repeat(33)}}`);
    expect([deep.status, await deep.json()]).toEqual([422, expect.objectContaining({ code: 'payload-too-deep' })]);
    expect(front.tasks.operatorCalls).toEqual([]);
    expect((await send(`/api/tasks/${id}/retry`, { payload: 'x'.repeat(1_022) })).status).toBe(200);
  });

  it.each<[string, Scope]>([
    ['retry', 'tasks:write'],
    ['discard', 'tasks:write'],
    ['cancel', 'tasks:cancel'],
  ])('needs its scope to %s', async (action, scope) => {
    expect((await send(`/api/tasks/${id}/${action}`, null, ['tasks:read', 'admin'])).status).toBe(403);
    expect((await send(`/api/tasks/${id}/${action}`, null, [scope])).status).toBe(200);
  });
});

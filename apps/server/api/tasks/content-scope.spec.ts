/** What is inside of tasks is seen with the scope for it, on every route that shows a task, and on no other way. */
import { afterAll, beforeAll, describe, expect, it } from '@jest/globals';
import { SCOPES } from '@app/auth';
import { startFront, type Front } from '../../../../test/support/front.js';
import { buildOpenApiDocument } from '../openapi/build-document.js';

const CANARY = 'canary-7f3a';
const body = { name: 'echo', payload: { secret: CANARY }, metadata: { note: CANARY } };

let open: Front;
let closed: Front;
let id: string;
beforeAll(async () => {
  open = await startFront();
  closed = await startFront({ AUTH_PAYLOAD_SCOPE: 'required' });
  id = ((await (await closed.post('/api/tasks', body)).json()) as { id: string }).id;
  const task = closed.tasks.tasks.get(id);
  if (task !== undefined) {
    const progress = { fraction: 0.5, message: CANARY, updatedAt: 1 };
    closed.tasks.tasks.set(id, { ...task, state: 'failed', result: CANARY, lastError: { code: 'oops', message: CANARY }, progress });
  }
  const [attempt] = await closed.tasks.attempts('t1', id);
  const error = { code: 'oops', message: CANARY };
  closed.tasks.attempts = () =>
    Promise.resolve(attempt === undefined ? [] : [{ ...attempt, result: CANARY as never, error: error as never }]);
  const { items } = await closed.tasks.of('t1', id);
  closed.tasks.of = () => Promise.resolve({ items: items.map((item) => ({ ...item, ...(item.error && { error }) })), truncated: false });
});
afterAll(() => Promise.all([open.close(), closed.close()]));

const without = SCOPES.filter((scope) => scope !== 'tasks:payload');

async function ask(front: Front, method: string, path: string, request: object | null, scopes: readonly (typeof SCOPES)[number][]) {
  const headers = { authorization: `Bearer ${front.token({ scopes })}`, 'content-type': 'application/json' };
  const response = await fetch(`${front.url}${path}`, { method, headers, ...(request && { body: JSON.stringify(request) }) });
  expect([path, response.status < 300]).toEqual([path, true]);
  return response.text();
}

/** Every route that shows a task or a part of one; retries come last, because they change it. */
const ROUTES: readonly (readonly [method: string, path: string, request: object | null])[] = [
  ['POST', '/api/tasks', body],
  ['POST', '/api/tasks/batch', { tasks: [body] }],
  ['GET', '/api/tasks', null],
  ['GET', '/api/tasks/:id', null],
  ['GET', '/api/tasks/:id/attempts', null],
  ['GET', '/api/tasks/:id/timeline', null],
  ['GET', '/api/dead-letters', null],
  ['POST', '/api/tasks/:id/discard', {}],
  ['POST', '/api/tasks/:id/cancel', {}],
  ['POST', '/api/tasks/:id/retry', {}],
];

describe('the content of tasks', () => {
  it('is what all of these routes show, and no other', () => {
    const { paths, components } = buildOpenApiDocument(closed.app);
    const shows = (value: unknown): boolean => {
      const text = JSON.stringify(value);
      const [, ...names] = text.split('#/components/schemas/').map((part) => part.slice(0, part.indexOf('"')));
      return names.some((name) => ['Task', 'Attempt', 'TaskError'].includes(name) || shows(components?.schemas?.[name] ?? {}));
    };
    const found = Object.entries(paths).flatMap(([path, item]) =>
      Object.entries(item as Record<string, { responses: object }>).flatMap(([method, { responses }]) =>
        shows(responses) ? [`${method.toUpperCase()} ${path.replace('{id}', ':id')}`] : [],
      ),
    );
    expect(found.sort()).toEqual(ROUTES.map(([method, path]) => `${method} ${path}`).sort());
  });

  it.each(ROUTES.filter(([method]) => method === 'GET'))('is shown by %s %s with the scope', async (method, path, request) => {
    const text = await ask(closed, method, path.replace(':id', id), request, SCOPES);
    expect(text).toContain(CANARY);
    expect(text).not.toContain('"contentWithheld":true');
  });

  it.each(ROUTES)('is not shown by %s %s without the scope, where the installation demands it', async (method, path, request) => {
    const text = await ask(closed, method, path.replace(':id', id), request, without);
    expect(text).not.toContain(CANARY);
    expect(text.includes('"contentWithheld":true') || path.endsWith('timeline')).toBe(true);
    if (path.endsWith(':id')) {
      expect(JSON.parse(text)).toMatchObject({
        ...{ id, payload: null, result: null, metadata: null, contentWithheld: true, progress: { fraction: 0.5, message: null } },
        lastError: { code: 'oops', message: expect.stringContaining('tasks:payload') },
      });
    }
  });

  it('is shown to everybody who may read tasks where the installation does not demand it', async () => {
    await open.post('/api/tasks', body);
    const text = await ask(open, 'GET', '/api/tasks', null, ['tasks:read']);
    expect(text).toContain(CANARY);
    expect(text).toContain('"contentWithheld":false');
  });
});

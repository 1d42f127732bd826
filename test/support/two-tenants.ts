/**
 * Two tenants on one store. The other one has something of every kind that a request can name; this is also the table of all
 * routes with every place in which a caller can name a thing. A route that is not in the table fails the test that reads it.
 */
import { randomBytes, randomUUID } from 'node:crypto';
import { sql } from '@app/database';
import { TASK_STATES, type TaskState } from '@app/tasks';
import type { StoredFront } from './front-on-store.js';
import type { Store } from './store.js';
import { taskIn } from './store-states.js';
import { signToken } from './token.js';

export const US = 'acme';
export const THEM = 'other-tenant';
/** Stands in everything of theirs that is text. */
export const MARK = 'theirs-7f3a';

/** What a request can name. */
type Kind = 'task' | 'key' | 'bulk' | 'revocation' | 'queue' | 'tag' | 'handler' | 'actor' | 'idempotency key' | 'cursor';

export interface Call {
  readonly path: string;
  readonly method: string;
  readonly body?: object;
  readonly headers?: Readonly<Record<string, string>>;
}

export interface Place {
  readonly route: string;
  /** Where in the request the name stands. */
  readonly where: string;
  readonly kind: Kind;
  /** For cursors: the list whose they are. */
  readonly list?: string;
  call(value: string): Call;
}

type Fields = Readonly<Record<string, readonly [Kind, (value: string) => Omit<Call, 'method'>]>>;

const enc = encodeURIComponent;
const ANY_TASK = { name: 'echo', payload: 1 };
const ALL_SCOPES =
  'tasks:read tasks:write tasks:cancel tasks:payload queues:read queues:manage schedules:read schedules:write workers:read keys:manage admin';

function byPath(kind: Kind, path: string, body?: object): Fields {
  return { path: [kind, (value) => ({ path: path.replace(/:\w+/, enc(value)), ...(body && { body }) })] };
}

function byQuery(path: string, ...fields: readonly (readonly [string, Kind])[]): Fields {
  return Object.fromEntries(fields.map(([name, kind]) => [name, [kind, (value) => ({ path: `${path}?${name}=${enc(value)}` })] as const]));
}

const LIST = [
  ['queue', 'queue'],
  ['tag', 'tag'],
  ['name', 'handler'],
  ['cursor', 'cursor'],
] as const;

/** Every route; nothing in it where a request can name nothing. */
const ROUTES: Readonly<Record<string, Fields>> = {
  'POST /api/tasks': {
    'Idempotency-Key': ['idempotency key', (value) => ({ path: '/api/tasks', body: ANY_TASK, headers: { 'idempotency-key': value } })],
    queue: ['queue', (value) => ({ path: '/api/tasks', body: { ...ANY_TASK, queue: value } })],
    tags: ['tag', (value) => ({ path: '/api/tasks', body: { ...ANY_TASK, tags: [value] } })],
  },
  'POST /api/tasks/batch': {
    idempotencyKey: [
      'idempotency key',
      (value) => ({ path: '/api/tasks/batch', body: { tasks: [{ ...ANY_TASK, idempotencyKey: value }] } }),
    ],
  },
  'GET /api/tasks': byQuery('/api/tasks', ...LIST),
  'GET /api/tasks/:id': byPath('task', '/api/tasks/:id'),
  'GET /api/tasks/:id/attempts': byPath('task', '/api/tasks/:id/attempts'),
  'GET /api/tasks/:id/timeline': byPath('task', '/api/tasks/:id/timeline'),
  'POST /api/tasks/:id/cancel': byPath('task', '/api/tasks/:id/cancel', { reason: 'spying' }),
  'POST /api/tasks/:id/retry': byPath('task', '/api/tasks/:id/retry', { payload: 'changed' }),
  'POST /api/tasks/:id/discard': byPath('task', '/api/tasks/:id/discard', {}),
  'GET /api/dead-letters': byQuery('/api/dead-letters', ...LIST),
  'GET /api/dead-letters/summary': {},
  'POST /api/bulk': {
    'Idempotency-Key': [
      'idempotency key',
      (value) => ({
        path: '/api/bulk',
        body: { action: 'cancel', filter: { name: 'nobody' }, reason: 'spying' },
        headers: { 'idempotency-key': value },
      }),
    ],
    'filter.queue': ['queue', (value) => ({ path: '/api/bulk', body: { action: 'cancel', filter: { queue: value }, reason: 'spying' } })],
    'filter.tag': ['tag', (value) => ({ path: '/api/bulk', body: { action: 'retry', filter: { tag: value }, reason: 'spying' } })],
    'filter.name': ['handler', (value) => ({ path: '/api/bulk', body: { action: 'discard', filter: { name: value }, reason: 'spying' } })],
  },
  'GET /api/bulk': byQuery('/api/bulk', ['cursor', 'cursor']),
  'GET /api/bulk/:id': byPath('bulk', '/api/bulk/:id'),
  'POST /api/bulk/:id/abort': byPath('bulk', '/api/bulk/:id/abort', {}),
  'GET /api/queues': {},
  'POST /api/queues/:name/pause': byPath('queue', '/api/queues/:name/pause', {}),
  'POST /api/queues/:name/resume': byPath('queue', '/api/queues/:name/resume', {}),
  'GET /api/workers': {},
  'GET /api/audit': byQuery('/api/audit', ['actor', 'actor'], ['cursor', 'cursor']),
  'POST /api/keys': {},
  'GET /api/keys': byQuery('/api/keys', ['cursor', 'cursor']),
  'GET /api/keys/:id': byPath('key', '/api/keys/:id'),
  'POST /api/keys/:id/rotate': byPath('key', '/api/keys/:id/rotate', {}),
  'DELETE /api/keys/:id': byPath('key', '/api/keys/:id'),
  'POST /api/revocations': {
    subject: ['actor', (value) => ({ path: '/api/revocations', body: { subject: value, reason: 'spying' } })],
  },
  'GET /api/revocations': byQuery('/api/revocations', ['cursor', 'cursor']),
  'DELETE /api/revocations/:id': byPath('revocation', '/api/revocations/:id'),
  'GET /api/limits': {},
};

/** Of the operator of the installation, who names any tenant; they need the scope `admin`, which is nobody else's. */
export const OPERATOR_ROUTES = ['GET /api/limits/:tenant', 'PUT /api/limits/:tenant'];

export const KNOWN_ROUTES = Object.keys(ROUTES);

export const PLACES: readonly Place[] = Object.entries(ROUTES).flatMap(([route, fields]) =>
  Object.entries(fields).map(([where, [kind, make]]) => ({
    ...{ route, where, kind, list: route.slice('GET '.length) },
    call: (value: string) => ({ method: route.slice(0, route.indexOf(' ')), ...make(value) }),
  })),
);

/** Routes that only look, where nothing can be named. */
export const PLAIN_LISTS = Object.entries(ROUTES).flatMap(([route, fields]) =>
  route.startsWith('GET ') && Object.keys(fields).every((name) => name !== 'path') ? [route.slice('GET '.length)] : [],
);

export interface Answer {
  readonly status: number;
  readonly text: string;
  readonly headers: Headers;
}

export async function send(front: StoredFront, tenant: string, { path, method, body, headers = {} }: Call): Promise<Answer> {
  const authorization = `Bearer ${signToken({ tenant, scope: ALL_SCOPES, subject: tenant === THEM ? MARK : 'us' })}`;
  const response = await fetch(`${front.url}${path}`, {
    method,
    headers: { authorization, ...(body && { 'content-type': 'application/json' }), ...headers },
    ...(body && { body: JSON.stringify(body) }),
  });
  return { status: response.status, text: await response.text(), headers: response.headers };
}

export interface Theirs {
  readonly tasks: Readonly<Record<TaskState, string>>;
  /** A name of theirs of the kind; for a task, of the one in that state. */
  nameOf(place: Place, state: TaskState): string;
  /** A name of the same form that nobody has, always the same for the same kind. */
  nobodys(place: Place): string;
}

/** Lets them have something of every kind. */
export async function furnish(store: Store, front: StoredFront): Promise<Theirs> {
  const about = {
    tenant: THEM,
    queue: `${MARK}-queue`,
    tags: [`${MARK}-tag`],
    name: `${MARK}-name`,
    createdBy: MARK,
    payload: `"${MARK}"`,
  };
  const made = await Promise.all(TASK_STATES.map(async (state) => [state, (await taskIn(store, state, about)).id] as const));
  const tasks = Object.fromEntries(made) as Record<TaskState, string>;
  // Two of everything that is listed, so that every list of theirs has a second page.
  const make = async (call: Omit<Call, 'method'>): Promise<string> => {
    const { text, status } = await send(front, THEM, { method: 'POST', ...call });
    if (status >= 300) throw new Error(`${call.path} answered ${status} ${text}`);
    return (JSON.parse(text) as { id: string }).id;
  };
  const key = { path: '/api/keys', body: { name: MARK, scopes: ['tasks:read'] } };
  const bulk = { path: '/api/bulk', body: { action: 'retry', filter: { name: 'nothing-to-do' }, reason: MARK } };
  const keys = [await make(key), await make(key)];
  const bulks = [await make({ ...bulk, headers: { 'idempotency-key': `${MARK}-bulk` } }), await make(bulk)];
  const revocation = { path: '/api/revocations', body: { tokenId: `${MARK}-token`, reason: MARK } };
  const revocations = [await make(revocation), await make({ ...revocation, body: { ...revocation.body, tokenId: `${MARK}-other` } })];
  await make({ path: '/api/tasks', body: ANY_TASK, headers: { 'idempotency-key': `${MARK}-key` } });
  await store.finish(
    await store.hire(),
    { kind: 'failed', reason: 'poison', error: { code: MARK, message: MARK }, timedOut: false },
    about,
  );
  // Their operations are not due while the test runs, so that only what we do could change them.
  await store.raw.execute(sql`UPDATE bulk_operations SET next_at = next_at + 86400000 WHERE tenant = ${THEM}`);
  const cursors = new Map<string, string>();
  for (const list of new Set(PLACES.filter(({ kind }) => kind === 'cursor').map(({ list: path = '' }) => path))) {
    const { nextCursor } = JSON.parse((await send(front, THEM, { method: 'GET', path: `${list}?limit=1` })).text) as {
      nextCursor: string | null;
    };
    if (nextCursor === null) throw new Error(`${list} of theirs has no second page`);
    cursors.set(list, nextCursor);
  }
  const names: Readonly<Record<Exclude<Kind, 'task' | 'cursor' | 'idempotency key'>, readonly [string, string]>> = {
    key: [keys[0] ?? '', randomUUID()],
    bulk: [bulks[0] ?? '', randomUUID()],
    revocation: [revocations[0] ?? '', randomUUID()],
    queue: [about.queue, 'nobodys-queue'],
    tag: [`${MARK}-tag`, 'nobodys-tag'],
    handler: [about.name, 'nobodys-name'],
    actor: [MARK, 'nobody'],
  };
  const nobodysTask = randomUUID();
  const nobodysCursor = randomBytes(32).toString('base64url');
  return {
    tasks,
    nameOf({ kind, list = '', route }, state) {
      if (kind === 'task') return tasks[state];
      if (kind === 'cursor') return cursors.get(list) ?? '';
      if (kind === 'idempotency key') return route === 'POST /api/bulk' ? `${MARK}-bulk` : `${MARK}-key`;
      return names[kind][0];
    },
    nobodys({ kind }) {
      if (kind === 'task') return nobodysTask;
      if (kind === 'cursor') return nobodysCursor;
      return kind === 'idempotency key' ? 'nobodys-idempotency-key' : names[kind][1];
    },
  };
}

/** What an answer says, without what is new in every answer and without the name that was sent. */
export function likeness({ status, text, headers }: Answer, name: string): string {
  const plain = text
    .replaceAll(name, '<name>')
    .replace(/"requestId":"[^"]*"/g, '"requestId":"<id>"')
    .replace(/[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}/g, '<uuid>')
    .replace(/\d{4}-\d\d-\d\dT[\d:.]+Z/g, '<time>')
    .replace(/"nextCursor":"[^"]*"/g, '"nextCursor":"<cursor>"')
    .replace(/"oldestQueuedAgeMs":\d+/g, '"oldestQueuedAgeMs":<age>');
  const kept = ['idempotency-replayed', 'retry-after', 'www-authenticate', 'content-type', 'allow'].map((header) => headers.get(header));
  return [status, ...kept, plain].join(' ');
}

/** Everything of theirs as it is stored, in a fixed order. */
export async function rowsOfTheirs(store: Store, theirs: Theirs): Promise<string[]> {
  const ids = new Set(Object.values(theirs.tasks).map((id) => id.replaceAll('-', '')));
  const tables = [
    ...['tasks', 'attempts', 'timers', 'idempotency_keys', 'task_tags', 'cancel_requests', 'queues', 'task_events', 'audit_entries'],
    ...['bulk_operations', 'api_keys', 'token_revocations', 'task_progress', 'task_checkpoints', 'task_resources'],
  ];
  const lines: string[] = [];
  for (const table of tables) {
    for (const row of await store.raw.query({ text: `SELECT * FROM ${table}`, values: [] })) {
      const isTheirs = row['tenant'] === THEM || (Buffer.isBuffer(row['task_id']) && ids.has(row['task_id'].toString('hex')));
      const shown = Object.entries(row).map(([name, value]) => [name, Buffer.isBuffer(value) ? value.toString('hex') : value]);
      if (isTheirs) lines.push(`${table} ${JSON.stringify(shown)}`);
    }
  }
  return lines.sort();
}

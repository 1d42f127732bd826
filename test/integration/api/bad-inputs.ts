/**
 * What is sent to the api by mistake or by malice, and what it has to say: kinds of bad input times every place that takes it. Each
 * case holds the word `canary` where it can, which must be in no log line.
 */

export interface BadInput {
  readonly name: string;
  readonly method: string;
  readonly path: string;
  readonly body?: string | Buffer;
  readonly headers?: Readonly<Record<string, string>>;
  /** Status and code. */
  readonly answer: string;
}

/** A task that is there, and one of nobody. */
export const NOBODY = '0190a8f0-0000-7000-8000-000000000000';

/** Routes that read a body, with one that they would take, and how many levels lie around the payload. */
const BODY_ROUTES = [
  { path: '/api/tasks', around: (inner: string) => `{"name":"echo","payload":${inner}}`, needsBody: true, small: false },
  { path: '/api/tasks/batch', around: (inner: string) => `{"tasks":[{"name":"echo","payload":${inner}}]}`, needsBody: true, small: false },
  { path: `/api/tasks/${NOBODY}/retry`, around: (inner: string) => `{"payload":${inner}}`, needsBody: false, small: false },
  { path: `/api/tasks/${NOBODY}/cancel`, around: (inner: string) => `{"reason":${inner}}`, needsBody: false, small: true },
  { path: `/api/tasks/${NOBODY}/discard`, around: (inner: string) => `{"reason":${inner}}`, needsBody: false, small: true },
  { path: '/api/bulk', around: (inner: string) => `{"action":"retry","reason":${inner},"filter":{}}`, needsBody: true, small: true },
  { path: `/api/bulk/${NOBODY}/abort`, around: (inner: string) => `{"reason":${inner}}`, needsBody: false, small: true },
  { path: '/api/queues/canary/pause', around: (inner: string) => `{"reason":${inner}}`, needsBody: false, small: true },
  { path: '/api/queues/canary/resume', around: (inner: string) => `{"reason":${inner}}`, needsBody: false, small: true },
];

const JSON_TYPE = { 'content-type': 'application/json' };

function bodies(): BadInput[] {
  return BODY_ROUTES.flatMap(({ path, around, needsBody, small }) => {
    const post = (name: string, body: string | Buffer, answer: string, headers: Record<string, string> = JSON_TYPE): BadInput => ({
      ...{ name: `${name} to ${path}`, method: 'POST', path, body, answer, headers },
    });
    const inside = (name: string, inner: string, answer: string): BadInput => post(name, around(inner), answer);
    return [
      ...(needsBody ? [post('nothing', '', '400 malformed-json')] : []),
      post('white space', ' \n\t', '400 malformed-json'),
      post('single quotes', "{'canary':1}", '400 malformed-json'),
      post('a comment', '{/* canary */}', '400 malformed-json'),
      post('a trailing comma', '{"a":1,}', '400 malformed-json'),
      post('two objects', '{}{}', '400 malformed-json'),
      post('half an object', '{"canary":', '400 malformed-json'),
      post('a byte order mark', '\ufeff{}', '400 malformed-json'),
      post('UTF-16', Buffer.from('{"canary":"é"}', 'utf16le'), '400 malformed-json'),
      post('bytes that are no UTF-8', Buffer.from([0x7b, 0x22, 0xc0, 0x80, 0x22, 0x3a, 0x31, 0x7d]), '400 malformed-json'),
      post('YAML', 'canary: 1', '400 malformed-json'),
      post('XML', '<!DOCTYPE x [<!ENTITY e SYSTEM "file:///etc/passwd">]><x>&e;</x>', '400 malformed-json'),
      post('a list', '["canary"]', '422 validation-failed'),
      post('a text', '"canary"', '422 validation-failed'),
      post('null', 'null', '422 validation-failed'),
      post('a number', '5', '422 validation-failed'),
      post('an unknown field', '{"canary":1}', '422 validation-failed'),
      post('a field of every object', '{"constructor":{"prototype":{"canary":1}}}', '422 validation-failed'),
      post('a prototype', '{"__proto__":{"canary":1}}', '422 forbidden-key'),
      post('a key twice', '{"a":1,"\\u0061":"canary"}', '400 duplicate-key'),
      inside('a key twice, deep inside', '[{"a":{"canary":1,"canary":2}}]', '400 duplicate-key'),
      inside('a prototype, deep inside', '[{"a":{"__proto__":1}}]', '422 forbidden-key'),
      inside('NaN', 'NaN', '400 malformed-json'),
      inside('Infinity', '-Infinity', '400 malformed-json'),
      inside('a hexadecimal number', '0x10', '400 malformed-json'),
      inside('a number with a zero before it', '007', '400 malformed-json'),
      inside('undefined', 'undefined', '400 malformed-json'),
      inside('a raw line break in a text', '"canary\n"', '400 malformed-json'),
      inside('1e400', '1e400', '422 number-not-representable'),
      inside('2^53 + 1', '9007199254740993', '422 number-not-representable'),
      inside('a number that becomes zero', '1e-400', '422 number-not-representable'),
      inside('half a character', '"canary\\ud800"', '422 invalid-unicode'),
      inside('the other half', '"\\udc00canary"', '422 invalid-unicode'),
      inside('40 levels', `${'['.repeat(40)}${']'.repeat(40)}`, '422 payload-too-deep'),
      ...(small
        ? [
            inside('a number for words', '5', '422 validation-failed'),
            inside('nothing for words', '""', '422 validation-failed'),
            inside('spaces for words', '" \\t "', '422 validation-failed'),
            inside('NUL in words', '"canary\\u0000"', '422 validation-failed'),
            inside('an escape in words', '"\\u001b[31mcanary"', '422 validation-failed'),
            inside('a turn of direction in words', '"canary \\u202e"', '422 validation-failed'),
            inside('a hidden direction in words', '"canary \\u2066"', '422 validation-failed'),
            inside('a line separator in words', '"canary\\u2028"', '422 validation-failed'),
            inside('a character that is none', '"canary\\uffff"', '422 validation-failed'),
            inside('501 characters', `"${'c'.repeat(501)}"`, '422 validation-failed'),
          ]
        : [
            inside('10,000 levels', `${'['.repeat(10_000)}${']'.repeat(10_000)}`, '422 payload-too-deep'),
            inside('a long key', `{"${'k'.repeat(5_000)}":1}`, '422 payload-too-complex'),
            inside('many keys', `{${Array.from({ length: 101 }, (_, index) => `"k${index}":1`).join(',')}}`, '422 payload-too-complex'),
            inside('many values', `[${'1,'.repeat(1_000)}1]`, '422 payload-too-complex'),
            inside('many empty lists', `[${'[],'.repeat(600)}[]]`, '422 payload-too-complex'),
          ]),
      post('too much', `{"a":"${'canary'.repeat(15_000)}"}`, '413 payload-too-large'),
      post('text', '{}', '415 unsupported-media-type', { 'content-type': 'text/plain' }),
      post('a form', 'canary=1', '415 unsupported-media-type', { 'content-type': 'application/x-www-form-urlencoded' }),
      post('multipart', '--x--', '415 unsupported-media-type', { 'content-type': 'multipart/form-data; boundary=x' }),
      post('another charset', '{}', '415 unsupported-charset', { 'content-type': 'application/json; charset=utf-16' }),
      post('gzip', '{}', '415 unsupported-encoding', { ...JSON_TYPE, 'content-encoding': 'gzip' }),
    ];
  });
}

function fields(): BadInput[] {
  const bad: readonly (readonly [string, unknown])[] = [
    ...[
      '',
      'a b',
      '../etc',
      'canary\r\n',
      '\u0000',
      'é',
      '😀',
      '*',
      'x'.repeat(129),
      'constructor',
      '__proto__',
      'valueOf',
      5,
      null,
      [],
    ].map((value) => ['name', value] as const),
    ...['', '?', 'a{b}', 'a/b', 'x'.repeat(65), 'hasOwnProperty', 'isPrototypeOf', false, {}].map((value) => ['queue', value] as const),
    ...[101, -101, 0.5, '5', null, [1], true].map((value) => ['priority', value] as const),
    ...[
      '2026-02-30T00:00:00Z',
      '2026-13-01T00:00:00Z',
      '2025-02-29T00:00:00Z',
      '2026-01-01',
      '2026-01-01T00:00:00',
      '2026-12-31T23:59:60Z',
    ].map((value) => ['runAt', value] as const),
    ...[
      '2026-01-01T24:00:00Z',
      '2026-01-01T00:00:00+25:00',
      '2026-01-01T00:00:00+00:60',
      '1999-12-31T23:59:59Z',
      '2100-01-01T00:00:00Z',
    ].map((value) => ['runAt', value] as const),
    ...['now', '１', 0, -1, null, '2026-01-01t00:00:00z', '2026-01-01T00:00:00.0000000001Z', '+002026-01-01T00:00:00Z'].map(
      (value) => ['expiresAt', value] as const,
    ),
    ...[-1, 2_592_000_001, 1.5, '1', null].map((value) => ['delayMs', value] as const),
    ...[0, -1, 86_400_001, 2_147_483_648, 1e308, '1s'].map((value) => ['timeoutMs', value] as const),
    ...[0, 2_592_000_001, 0.1].map((value) => ['deadlineMs', value] as const),
    ...[0, 101, 1.5, '3', null].map((value) => ['maxAttempts', value] as const),
    ...[null, [], 'fixed', { backoff: 'no' }, { baseMs: -1 }, { maxMs: 1.5 }, { jitter: 2 }, { baseMs: 5, maxMs: 1 }, { canary: 1 }].map(
      (value) => ['retry', value] as const,
    ),
    ...[null, 'a', {}, [''], ['a', 'a'], [1], ['a b'], ['constructor'], Array.from({ length: 11 }, (_, index) => `t${index}`)].map(
      (value) => ['tags', value] as const,
    ),
    ...[null, [], 'canary', { a: 'x'.repeat(4_096) }].map((value) => ['metadata', value] as const),
    ...[
      'id',
      'state',
      'status',
      'tenant',
      'tenantId',
      'attempt',
      'fence',
      'createdAt',
      'createdBy',
      'result',
      'payloadSchema',
      'callback',
    ].map((name) => [name, 'canary'] as const),
  ];
  return bad.map(([name, value]) => ({
    name: `${name}: ${JSON.stringify(value).slice(0, 40)}`,
    method: 'POST',
    path: '/api/tasks',
    headers: JSON_TYPE,
    // Written by hand, because an object literal would take __proto__ for something else.
    body: `{${name === 'name' ? '' : '"name":"echo",'}"${name}":${JSON.stringify(value)}}`,
    answer: '422 validation-failed',
  }));
}

const BAD_IDS = [
  '1',
  '-1',
  '1e3',
  '0x10',
  '9223372036854775808',
  '%EF%BC%91',
  'null',
  'undefined',
  '1%20OR%201=1',
  "'%20OR%20'1'='1",
  '%00',
  '*',
  `${NOBODY}0`,
];
const MORE_BAD_IDS = [
  NOBODY.replace('8', 'g'),
  NOBODY.slice(1),
  NOBODY.replaceAll('-', ''),
  `{${NOBODY}}`,
  `urn:uuid:${NOBODY}`,
  '%2e%2e%2fetc',
  'canary',
];
const ID_ROUTES = [
  ...['/api/tasks/ID', '/api/tasks/ID/attempts', '/api/tasks/ID/timeline', '/api/bulk/ID'].map((path) => ['GET', path] as const),
  ...['/api/tasks/ID/cancel', '/api/tasks/ID/retry', '/api/tasks/ID/discard', '/api/bulk/ID/abort'].map((path) => ['POST', path] as const),
];

function paths(): BadInput[] {
  const ids = ID_ROUTES.flatMap(([method, path]): BadInput[] => [
    ...[...BAD_IDS, ...MORE_BAD_IDS].map((id) => ({
      name: `${method} ${path}: ${id}`,
      method,
      path: path.replace('ID', id),
      answer: '400 invalid-id',
    })),
    { name: `${method} ${path}: nobody's, in capitals`, method, path: path.replace('ID', NOBODY.toUpperCase()), answer: '404 not-found' },
    { name: `${method} ${path}: no text at all`, method, path: path.replace('ID', '%ff'), answer: '400 bad-request' },
  ]);
  const names = [
    'a%20b',
    '..%2Fetc',
    'a%7Bb%7D',
    '*',
    '%3F',
    'x'.repeat(65),
    'constructor',
    'toString',
    '__proto__',
    'canary%0D%0A',
    '%F0%9F%98%80',
    '%00',
    "';DROP%20TABLE%20queues",
  ];
  const queues = ['pause', 'resume'].flatMap((move) =>
    names.map((name) => ({
      name: `${move} ${name}`,
      method: 'POST',
      path: `/api/queues/${name}/${move}`,
      answer: '422 validation-failed',
    })),
  );
  const wrong: BadInput[] = [
    { name: 'an unknown route', method: 'GET', path: '/api/canary', answer: '404 not-found' },
    { name: 'a version before it', method: 'GET', path: '/v1/tasks', answer: '404 not-found' },
    ...['PUT', 'PATCH', 'DELETE'].map((method) => ({ name: method, method, path: '/api/tasks', answer: '405 method-not-allowed' })),
    { name: 'a queue that nobody paused', method: 'POST', path: '/api/queues/canary/resume', answer: '404 not-found' },
  ];
  return [...ids, ...queues, ...wrong];
}

const SQL = [
  "' OR '1'='1",
  '1; DROP TABLE tasks',
  "x' UNION SELECT payload FROM tasks -- ",
  '" OR ""="',
  '\\',
  "admin'/*",
  '1) OR (1=1',
  '`tasks`',
  '%',
  '${jndi:ldap://canary}',
  "';SELECT SLEEP(9)--",
];

function queries(): BadInput[] {
  const get = (path: string, query: string, answer: string): BadInput => ({
    name: `${path}?${query}`,
    method: 'GET',
    path: `${path}?${query}`,
    answer,
  });
  const lists = ['/api/tasks', '/api/dead-letters', '/api/bulk', '/api/audit'];
  const paging = lists.flatMap((path) => [
    ...['0', '-1', '201', '1e9', 'abc', '1;DROP', '', '1.5', '%2B1', '0x1', '1%00', '%EF%BC%91', '007'].map((limit) =>
      get(path, `limit=${limit}`, '400 invalid-query'),
    ),
    ...['canary', '', 'AAAA', 'A'.repeat(43), `${'A'.repeat(42)}%3D`, '%00', 'A'.repeat(5_000)].map((cursor) =>
      get(path, `cursor=${cursor}`, '400 invalid-cursor'),
    ),
    ...['admin=true', 'canary=1', 'sort=createdAt;DROP', 'access_token=canary', 'LIMIT=1', '__proto__=1', 'limit[]=1', 'limit%00=1'].map(
      (query) => get(path, query, '400 unknown-parameter'),
    ),
    ...['limit=1&limit=2', 'limit=%ff', 'limit=%zz', 'limit=%'].map((query) => get(path, query, '400 invalid-query')),
  ]);
  const filters = ['/api/tasks', '/api/dead-letters'].flatMap((path) => [
    ...['name', 'queue', 'tag'].flatMap((name) => SQL.map((text) => get(path, `${name}=${encodeURIComponent(text)}`, '400 invalid-query'))),
    ...['2026-02-30T00:00:00Z', 'yesterday', '0', '2026-01-01T00:00:00+01:00'].map((text) =>
      get(path, `createdAfter=${text}`, '400 invalid-query'),
    ),
    get(path, 'createdAfter=2026-01-02T00:00:00Z&createdBefore=2026-01-01T00:00:00Z', '400 invalid-query'),
    get(path, 'reason=canary', '400 invalid-query'),
  ]);
  const words = [
    ...['nope', 'QUEUED', '', 'queued%00', 'queued,failed'].map((state) => get('/api/tasks', `state=${state}`, '400 invalid-query')),
    get('/api/tasks', 'state=queued&state=failed', '400 invalid-query'),
    get('/api/tasks', 'discarded=1', '400 invalid-query'),
    ...['', 'a'.repeat(65), 'a%0A', '%00'].map((action) => get('/api/audit', `action=${action}`, '400 invalid-query')),
    ...['%ff', '%zz', 'a%c3', '%ed%a0%80'].map((actor) => get('/api/audit', `actor=${actor}`, '400 invalid-query')),
    ...['/api/queues', '/api/workers', '/api/dead-letters/summary', `/api/tasks/${NOBODY}`].map((path) =>
      get(path, 'canary=1', '400 unknown-parameter'),
    ),
    { name: 'allTenants=yes', method: 'POST', path: '/api/queues/q/pause?allTenants=yes', answer: '400 invalid-query' },
    {
      name: 'dryRun=1',
      method: 'POST',
      path: '/api/tasks?dryRun=1',
      headers: JSON_TYPE,
      body: '{"name":"echo"}',
      answer: '400 invalid-query',
    },
    {
      name: 'dryRun twice',
      method: 'POST',
      path: '/api/tasks/batch?dryRun=true&dryRun=false',
      headers: JSON_TYPE,
      body: '{}',
      answer: '400 invalid-query',
    },
  ];
  return [...paging, ...filters, ...words];
}

function headers(): BadInput[] {
  const post = (path: string, name: string, value: string, answer: string, body: string): BadInput => ({
    ...{
      name: `${name}: ${JSON.stringify(value).slice(0, 30)} to ${path}`,
      method: 'POST',
      path,
      body,
      headers: { ...JSON_TYPE, [name]: value },
      answer,
    },
  });
  const task = '{"name":"echo"}';
  const bulk = '{"action":"retry","reason":"x","filter":{"name":"echo"}}';
  const keys = ['', ' ', 'canar\u00ff', 'k'.repeat(256), 'a\tb'];
  return [
    ...keys.flatMap((key) => [
      post('/api/tasks', 'idempotency-key', key, '400 idempotency-key-invalid', task),
      post('/api/bulk', 'idempotency-key', key, '400 idempotency-key-invalid', bulk),
    ]),
    post('/api/tasks/batch', 'idempotency-key', 'k', '400 idempotency-key-invalid', '{"tasks":[{"name":"echo"}]}'),
    ...['wait', 'wait=', 'wait=-1', 'wait=61', 'wait=1.5', 'wait=1e1', 'wait=9999', 'wait=1, wait=2', 'wait=canary'].map((value) =>
      post('/api/tasks', 'prefer', value, '400 invalid-prefer', task),
    ),
    ...['text/html', 'image/*', 'application/xml', 'application/json;q=0', 'canary', 'text/html, application/xhtml+xml'].flatMap((accept) =>
      ['/api/tasks', '/api/queues', '/api/nowhere'].map((path) => ({
        name: `Accept: ${accept} for ${path}`,
        method: 'GET',
        path,
        headers: { accept },
        answer: '406 not-acceptable',
      })),
    ),
  ];
}

export const BAD_INPUTS: Readonly<Record<string, readonly BadInput[]>> = {
  bodies: bodies(),
  fields: fields(),
  paths: paths(),
  queries: queries(),
  headers: headers(),
};

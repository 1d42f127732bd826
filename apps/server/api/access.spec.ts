/** Who may call what: every route of the document, with every scope alone, as a token and as an API key. */
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from '@jest/globals';
import { routesOf, SCOPES, type Scope } from '@app/auth';
import { startFront, type Front } from '../../../test/support/front.js';

interface Row {
  readonly method: string;
  readonly path: string;
  readonly required: readonly string[];
}

const ID = '0190a8f0-0000-7000-8000-000000000000';

/** What the committed document promises, whatever the code says of itself. */
function documented(): Row[] {
  const text = readFileSync(join(import.meta.dirname, '../../../docs/openapi.json'), 'utf8');
  const { paths } = JSON.parse(text) as { paths: Record<string, Record<string, { 'x-required-scope'?: string }>> };
  return Object.entries(paths).flatMap(([path, item]) =>
    Object.entries(item).map(([method, operation]) => ({
      method: method.toUpperCase(),
      path,
      required: (operation['x-required-scope'] ?? '').split(' ').filter((word) => word !== ''),
    })),
  );
}

const rows = documented();
let front: Front;
let keyOf: ReadonlyMap<Scope, string>;
beforeAll(async () => {
  front = await startFront({ AUTH_KEY_PEPPER: 'p'.repeat(32) });
  const all = { subject: 'tester', tenant: 't1', scopes: new Set(SCOPES), credential: 'sub:tester', tokenId: null };
  const actor = { principal: all, address: null, reason: '' };
  const texts = SCOPES.map(async (scope) => {
    const { text } = await front.keys.make(actor, { name: scope, scopes: [scope], expiresAt: null, ttlMs: null });
    return [scope, text] as const;
  });
  keyOf = new Map(await Promise.all(texts));
});
afterAll(() => front.close());

async function cell({ method, path }: Row, credential: string | null): Promise<string> {
  const url = `${front.url}${path.replace(/\{\w+\}/g, ID)}`;
  const response = await fetch(url, { method, headers: credential === null ? {} : { authorization: `Bearer ${credential}` } });
  const { code } = method === 'HEAD' ? { code: '' } : ((await response.json()) as { code?: string });
  return [401, 403].includes(response.status) ? `${response.status} ${code}` : 'passes';
}

describe('the matrix of scopes and routes', () => {
  it('has every route there is, each with scopes that exist', () => {
    const known = routesOf(front.app).filter(({ path }) => path.startsWith('/api/'));
    expect(rows.map(({ method, path }) => `${method} ${path}`).sort()).toEqual(
      known.map(({ method, path }) => `${method} ${path.replace(/:(\w+)/g, '{$1}')}`).sort(),
    );
    for (const { path, required } of rows) {
      expect([path, required.length > 0 && required.every((scope) => (SCOPES as readonly string[]).includes(scope))]).toEqual([path, true]);
    }
  });

  it.each(rows)('$method $path is for $required alone, by token and by key', async (row) => {
    expect(await cell(row, null)).toBe('401 unauthenticated');
    for (const scope of SCOPES) {
      const isEnough = row.required.every((needed) => needed === scope);
      const wanted = isEnough ? 'passes' : '403 insufficient-scope';
      expect([scope, 'token', await cell(row, front.token({ scopes: [scope] }))]).toEqual([scope, 'token', wanted]);
      expect([scope, 'key', await cell(row, keyOf.get(scope) ?? '')]).toEqual([scope, 'key', wanted]);
    }
    const others = SCOPES.filter((scope) => !row.required.includes(scope));
    expect(await cell(row, front.token({ scopes: others }))).toBe('403 insufficient-scope');
    if (row.method === 'GET') expect(await cell({ ...row, method: 'HEAD' }, null)).toMatch(/^401/);
  });
});

describe('an API key', () => {
  const ask = (init: RequestInit = {}, query = '') => fetch(`${front.url}/api/tasks${query}`, init);

  it('is accepted in the header only: not in the query, a cookie or the body', async () => {
    const key = keyOf.get('tasks:read') ?? '';
    front.lines.length = 0;
    expect((await ask({ headers: { authorization: `Bearer ${key}` } })).status).toBe(200);
    for (const query of [`?access_token=${key}`, `?key=${key}`]) expect((await ask({}, query)).status).toBe(401);
    expect((await ask({ headers: { cookie: `access_token=${key}` } })).status).toBe(401);
    expect((await ask({ headers: { 'x-api-key': key } })).status).toBe(401);
    const body = JSON.stringify({ access_token: key });
    expect((await ask({ method: 'POST', headers: { 'content-type': 'application/json' }, body })).status).toBe(401);
    expect(JSON.stringify(front.lines)).not.toContain(key.split('_')[2]);
  });

  it('that is refused is refused with the words of every credential, and its reason is in the log', async () => {
    const key = keyOf.get('tasks:read') ?? '';
    front.lines.length = 0;
    const other = key.endsWith('0') ? '1' : '0';
    const response = await ask({ headers: { authorization: `Bearer ${key.slice(0, -1)}${other}` } });
    expect([response.status, response.headers.get('www-authenticate')]).toEqual([401, expect.stringMatching(/^Bearer/)]);
    const text = await response.text();
    expect(JSON.parse(text)).toMatchObject({ code: 'invalid-token' });
    expect(text).not.toContain('checksum');
    expect(front.lines).toContainEqual(expect.objectContaining({ reason: 'API key: the form or the checksum is wrong', keyId: null }));
    expect(JSON.stringify(front.lines)).not.toContain(key.split('_')[2]);
  });

  it('names itself as the one who submitted, and is noted as used', async () => {
    const before = front.keys.used.length;
    const headers = { authorization: `Bearer ${keyOf.get('tasks:write')}`, 'content-type': 'application/json' };
    const response = await ask({ method: 'POST', headers, body: JSON.stringify({ name: 'echo' }) });
    expect(await response.json()).toMatchObject({ createdBy: expect.stringMatching(/^key:[0-9a-f-]{36}$/) });
    expect(front.keys.used.length).toBe(before + 1);
  });
});

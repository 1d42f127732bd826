import { createHmac, createPublicKey, generateKeyPairSync, randomBytes, type KeyObject } from 'node:crypto';
import { afterAll, beforeAll, describe, expect, it } from '@jest/globals';
import jwt from 'jsonwebtoken';
import { routesOf, SCOPES } from '@app/auth';
import { startFront, type Front } from '../../../test/support/front.js';

const secret = randomBytes(32).toString('hex');
const rsa = generateKeyPairSync('rsa', { modulusLength: 2_048 });
const ec = generateKeyPairSync('ec', { namedCurve: 'P-256' });
const pem = (key: KeyObject): string => key.export({ type: 'spki', format: 'pem' }).toString();

let front: Front;
let asymmetric: Record<'RS256' | 'ES256', Front>;
beforeAll(async () => {
  front = await startFront({ AUTH_JWT_SECRET: secret, AUTH_ISSUER: 'https://issuer', AUTH_AUDIENCE: 'trx' });
  asymmetric = {
    RS256: await startFront({ AUTH_JWT_PUBLIC_KEY: pem(rsa.publicKey) }),
    ES256: await startFront({ AUTH_JWT_PUBLIC_KEY: pem(ec.publicKey) }),
  };
});
afterAll(() => Promise.all([front, ...Object.values(asymmetric)].map((each) => each.close())));

type Claims = Record<string, unknown>;
const nowSeconds = () => front.clock.now() / 1_000;
const claims = (changes: Claims = {}): Claims =>
  Object.fromEntries(
    Object.entries({
      sub: 's',
      tenant: 't1',
      scope: 'tasks:read',
      iss: 'https://issuer',
      aud: 'trx',
      exp: nowSeconds() + 60,
      ...changes,
    }).filter(([, value]) => value !== undefined),
  );
const part = (value: unknown): string => Buffer.from(typeof value === 'string' ? value : JSON.stringify(value)).toString('base64url');

/** Signed with the right secret whatever the header and the claims say. */
function signed(payload: unknown, header: unknown = { alg: 'HS256', typ: 'JWT' }): string {
  const text = `${part(header)}.${part(payload)}`;
  return `${text}.${createHmac('sha256', secret).update(text).digest('base64url')}`;
}

async function answer(authorization: string | undefined, at: Front = front): Promise<string> {
  const response = await fetch(`${at.url}/api/tasks`, authorization === undefined ? {} : { headers: { authorization } });
  const { code = 'ok' } = (await response.json()) as { code?: string };
  expect(response.headers.get('www-authenticate')).toBe(response.status === 401 ? 'Bearer' : null);
  return `${response.status} ${code}`;
}

const bearer = (token: string, at?: Front): Promise<string> => answer(`Bearer ${token}`, at);

describe('every route', () => {
  it('refuses a call without a token, and one without the scope', async () => {
    const routes = routesOf(front.app);
    expect(routes.length).toBeGreaterThan(8);
    for (const { method, path, access } of routes) {
      const url = `${front.url}${path.replace(':id', '0190a8f0-0000-7000-8000-000000000000').replace(':name', 'default')}`;
      const bare = await fetch(url, { method });
      expect([path, bare.status]).toEqual([path, 401]);
      const others = SCOPES.filter((scope) => access === 'public' || access?.includes(scope) !== true);
      const scopeless = await fetch(url, { method, headers: { authorization: `Bearer ${front.token({ scopes: others })}` } });
      expect([path, scopeless.status, ((await scopeless.json()) as { code: string }).code]).toEqual([path, 403, 'insufficient-scope']);
    }
  });
});

describe('tokens', () => {
  it('are accepted when right, in any case of the scheme, and again from memory', async () => {
    expect(await bearer(signed(claims()))).toBe('200 ok');
    expect(await answer(`bearer ${signed(claims())}`)).toBe('200 ok');
    expect(await bearer(signed(claims({ aud: ['other', 'trx'], scope: 'future:scope tasks:read' })))).toBe('200 ok');
    expect(await bearer(signed(claims({ scope: 'tasks:*' })))).toBe('200 ok');
  });

  it.each([undefined, '', 'Bearer', 'Bearer ', 'Basic dTpw', 'tasks'])('are asked for: %s', async (header) => {
    expect(await answer(header)).toBe('401 unauthenticated');
  });

  it('are not read from the query', async () => {
    expect((await fetch(`${front.url}/api/tasks?access_token=${signed(claims())}`)).status).toBe(401);
  });

  it.each<[string, () => string]>([
    ['rubbish', () => 'x'],
    ['two parts', () => signed(claims()).split('.').slice(0, 2).join('.')],
    ['five parts', () => `${signed(claims())}.a.b`],
    ['no signature', () => `${signed(claims()).split('.').slice(0, 2).join('.')}.`],
    ['another secret', () => jwt.sign(claims(), randomBytes(32), { noTimestamp: true })],
    ['padding', () => `${signed(claims())}=`],
    ['a changed last character', () => signed(claims()).replace(/.$/, (last) => (last === 'A' ? 'B' : 'A'))],
    ['alg none', () => `${part({ alg: 'none' })}.${part(claims())}.`],
    ['alg nOnE with a signature', () => signed(claims(), { alg: 'nOnE' })],
    ['alg missing', () => signed(claims(), { typ: 'JWT' })],
    ['alg a list', () => signed(claims(), { alg: ['HS256'] })],
    ['HS512', () => jwt.sign(claims(), secret, { algorithm: 'HS512', noTimestamp: true })],
    ['crit', () => signed(claims(), { alg: 'HS256', crit: ['b64'], b64: true })],
    ['b64', () => signed(claims(), { alg: 'HS256', b64: false })],
    ['zip', () => signed(claims(), { alg: 'HS256', zip: 'DEF' })],
    ['claims that are null', () => signed(null)],
    ['claims that are a list', () => signed([])],
    ['another type', () => signed(claims(), { alg: 'HS256', typ: 'refresh+jwt' })],
    ['a long kid', () => signed(claims(), { alg: 'HS256', kid: 'k'.repeat(129) })],
    ['a kid that is a list', () => signed(claims(), { alg: 'HS256', kid: ['x'] })],
    ['claims that are a list', () => signed([])],
    ['claims that are a text', () => signed('"x"')],
    ['more than 8 kB', () => signed(claims({ extra: 'x'.repeat(8_192) }))],
    ['no exp', () => signed(claims({ exp: undefined }))],
    ['exp as text', () => signed(claims({ exp: '9999999999' }))],
    ['exp without end', () => signed(JSON.stringify(claims({ exp: 1 })).replace('"exp":1', '"exp":1e400'))],
    ['exp below zero', () => signed(claims({ exp: -1 }))],
    ['nbf in the future', () => signed(claims({ nbf: nowSeconds() + 61 }))],
    ['nbf as text', () => signed(claims({ nbf: 'x' }))],
    ['iat in the future', () => signed(claims({ iat: nowSeconds() + 600 }))],
    ['no sub', () => signed(claims({ sub: undefined }))],
    ['sub with a line break', () => signed(claims({ sub: 'a\nb' }))],
    ['no tenant', () => signed(claims({ tenant: undefined }))],
    ['tenant system', () => signed(claims({ tenant: 'system' }))],
    ['tenant *', () => signed(claims({ tenant: '*' }))],
    ['tenant too long', () => signed(claims({ tenant: 'x'.repeat(65) }))],
    ['tenant a list', () => signed(claims({ tenant: ['t1'] }))],
    ['scope a list', () => signed(claims({ scope: ['tasks:read'] }))],
    ['another issuer', () => signed(claims({ iss: 'https://issuer/' }))],
    ['no issuer', () => signed(claims({ iss: undefined }))],
    ['another audience', () => signed(claims({ aud: 'TRX' }))],
    ['no audience', () => signed(claims({ aud: undefined }))],
  ])('are refused: %s', async (_, make) => {
    const token = make();
    expect(await bearer(token)).toBe('401 invalid-token');
    expect(JSON.stringify(front.lines)).not.toContain(token.split('.')[1] || token);
  });

  it.each(['*', '*:*', 'tasks:', 'tasks:re*', 'tasks', 'TASKS:READ', 'tasks:read,tasks:write', 'admin', ''])(
    'give nothing for the scope "%s"',
    async (scope) => {
      expect(await bearer(signed(claims({ scope })))).toBe('403 insufficient-scope');
    },
  );

  it('live until exp plus a minute of leeway, from memory too', async () => {
    const token = signed(claims({ exp: nowSeconds() + 10.9 }));
    expect(await bearer(token)).toBe('200 ok');
    front.clock.advance(69_000);
    expect(await bearer(token)).toBe('200 ok');
    front.clock.advance(2_000);
    expect(await bearer(token)).toBe('401 token-expired');
    expect(await bearer(token)).toBe('401 token-expired');
    expect(await bearer(signed(claims({ exp: nowSeconds() - 61 })))).toBe('401 token-expired');
  });
});

describe('public keys', () => {
  const sign = (key: KeyObject, algorithm: jwt.Algorithm): string =>
    jwt.sign(claims({ iss: undefined, aud: undefined }), key, { algorithm, noTimestamp: true });

  it.each(['RS256', 'ES256'] as const)('verify %s and nothing else', async (algorithm) => {
    const at = asymmetric[algorithm];
    const [own, other] = algorithm === 'RS256' ? [rsa, ec] : [ec, rsa];
    expect(await bearer(sign(own.privateKey, algorithm), at)).toBe('200 ok');
    expect(await bearer(sign(other.privateKey, algorithm === 'RS256' ? 'ES256' : 'RS256'), at)).toBe('401 invalid-token');
    const text = pem(own.publicKey);
    const asSecret = [
      text,
      text.trim(),
      own.publicKey.export({ type: 'spki', format: 'der' }),
      JSON.stringify(createPublicKey(text).export({ format: 'jwk' })),
    ];
    for (const bytes of asSecret) {
      const head = `${part({ alg: 'HS256', typ: 'JWT' })}.${part(claims())}`;
      expect(await bearer(`${head}.${createHmac('sha256', bytes).update(head).digest('base64url')}`, at)).toBe('401 invalid-token');
    }
  });

  it('do not take a sibling algorithm, a zero signature or a key from the header', async () => {
    expect(await bearer(sign(rsa.privateKey, 'PS256'), asymmetric.RS256)).toBe('401 invalid-token');
    expect(await bearer(sign(rsa.privateKey, 'RS512'), asymmetric.RS256)).toBe('401 invalid-token');
    const [head, body] = sign(ec.privateKey, 'ES256').split('.');
    expect(await bearer(`${head}.${body}.${Buffer.alloc(64).toString('base64url')}`, asymmetric.ES256)).toBe('401 invalid-token');
    const attacker = generateKeyPairSync('rsa', { modulusLength: 2_048 });
    const header = {
      alg: 'RS256' as const,
      jwk: attacker.publicKey.export({ format: 'jwk' }),
      jku: 'http://127.0.0.1:1/',
      x5u: 'http://127.0.0.1:1/',
    };
    const token = jwt.sign(claims(), attacker.privateKey, {
      algorithm: 'RS256',
      noTimestamp: true,
      header: header as unknown as jwt.JwtHeader,
    });
    expect(await bearer(token, asymmetric.RS256)).toBe('401 invalid-token');
  });
});

/** Every way in which a token can be wrong, row by row, at the door where it would matter. */
import { createHmac, createPublicKey, generateKeyPairSync, randomBytes, type KeyObject } from 'node:crypto';
import { createServer } from 'node:http';
import type { AddressInfo } from 'node:net';
import { afterAll, beforeAll, describe, expect, it } from '@jest/globals';
import { forge, hs256, part, withBytes, withKey, type Signer } from '../../../test/support/forge.js';
import { startFront, type Front } from '../../../test/support/front.js';

const secret = randomBytes(32).toString('hex');
const rsa = generateKeyPairSync('rsa', { modulusLength: 2_048 });
const ec = generateKeyPairSync('ec', { namedCurve: 'P-256' });
const ed = generateKeyPairSync('ed25519');
const pairs = { RS256: rsa, ES256: ec, EdDSA: ed } as const;
type PublicAlgorithm = keyof typeof pairs;
const ALGORITHMS = Object.keys(pairs) as PublicAlgorithm[];
const pem = (key: KeyObject): string => key.export({ type: 'spki', format: 'pem' }).toString();

let front: Front;
let strict: Front;
let open: Record<PublicAlgorithm, Front>;
beforeAll(async () => {
  const issued = { AUTH_ISSUER: 'https://issuer', AUTH_AUDIENCE: 'trx' };
  front = await startFront({ ...issued, AUTH_JWT_SECRET: secret });
  strict = await startFront({
    AUTH_JWT_SECRET: secret,
    AUTH_TOKEN_TYPE: 'at+jwt',
    AUTH_LEEWAY_MS: '0',
    AUTH_TOKEN_LIFETIME_MAX_MS: '60000',
  });
  open = {
    RS256: await startFront({ ...issued, AUTH_JWT_PUBLIC_KEY: pem(rsa.publicKey) }),
    ES256: await startFront({ ...issued, AUTH_JWT_PUBLIC_KEY: pem(ec.publicKey) }),
    EdDSA: await startFront({ ...issued, AUTH_JWT_PUBLIC_KEY: pem(ed.publicKey) }),
  };
});
afterAll(() => Promise.all([front, strict, ...Object.values(open)].map((each) => each.close())));

/** Time passes for all of them alike. */
const advance = (ms: number): void => {
  for (const each of [front, strict, ...Object.values(open)]) each.clock.advance(ms);
};

type Claims = Record<string, unknown>;
const now = () => front.clock.now() / 1_000;
const claims = (changes: Claims = {}): Claims =>
  Object.fromEntries(
    Object.entries({
      ...{ sub: 's', tenant: 't1', scope: 'tasks:read', iss: 'https://issuer', aud: 'trx', iat: now(), exp: now() + 60 },
      ...changes,
    }).filter(([, value]) => value !== undefined),
  );
const HS256 = { alg: 'HS256', typ: 'JWT' };
/** Signed with the right secret whatever the header and the claims say. */
const signed = (payload: unknown, header: unknown = HS256): string => forge(header, payload, hs256(secret));

async function answer(authorization: string | undefined, at: Front = front): Promise<string> {
  const response = await fetch(`${at.url}/api/tasks`, authorization === undefined ? {} : { headers: { authorization } });
  const { code = 'ok', detail } = (await response.json()) as { code?: string; detail?: string };
  const challenge = code === 'unauthenticated' ? 'Bearer' : 'Bearer error="invalid_token"';
  expect(response.headers.get('www-authenticate')).toBe(response.status === 401 ? challenge : null);
  if (response.status === 401) expect(detail).toMatch(/^This call needs a valid token: /);
  return `${response.status} ${code}`;
}

const bearer = (token: string, at?: Front): Promise<string> => answer(`Bearer ${token}`, at);

async function expectRefused(token: string, at: Front = front): Promise<void> {
  expect(await bearer(token, at)).toBe('401 invalid-token');
  const told = JSON.stringify(at.lines);
  expect(told).toContain('a token was refused');
  expect(told).not.toContain(token.split('.')[1] || token);
}

describe('tokens', () => {
  it('are accepted when right, in any case of the scheme, and again from memory', async () => {
    expect(await bearer(signed(claims()))).toBe('200 ok');
    expect(await answer(`bearer ${signed(claims())}`)).toBe('200 ok');
    expect(await bearer(signed(claims({ aud: ['other', 'trx'], scope: 'future:scope tasks:read', jti: 'one' })))).toBe('200 ok');
    for (const typ of [undefined, 'JWT', 'jwt', 'at+jwt', 'application/at+jwt']) {
      expect(await bearer(signed(claims(), { alg: 'HS256', typ, kid: 'ours' }))).toBe('200 ok');
    }
  });

  it.each([undefined, '', 'Bearer', 'Bearer ', 'Basic dTpw', 'tasks', 'Bearer a.b.c d', 'Bearer a.\tb.c'])(
    'are asked for: %s',
    async (header) => {
      expect(await answer(header)).toBe('401 unauthenticated');
    },
  );

  it('are not read from the query', async () => {
    expect((await fetch(`${front.url}/api/tasks?access_token=${signed(claims())}`)).status).toBe(401);
  });

  it.each<[string, () => string]>([
    ['Sec-1 alg none', () => `${part({ alg: 'none' })}.${part(claims())}.`],
    ['Sec-1 alg none with a signature', () => signed(claims(), { alg: 'none' })],
    ['Sec-1 alg nOnE with a signature', () => signed(claims(), { alg: 'nOnE' })],
    ['Sec-1 alg empty', () => signed(claims(), { alg: '' })],
    ['Sec-1 alg missing', () => signed(claims(), { typ: 'JWT' })],
    ['Sec-1 alg a list', () => signed(claims(), { alg: ['HS256'] })],
    ['Sec-1 alg a number', () => signed(claims(), { alg: 256 })],
    ['Sec-1 alg of another case', () => signed(claims(), { alg: 'hs256' })],
    ['Sec-3 HS512', () => forge({ alg: 'HS512' }, claims(), (text) => createHmac('sha512', secret).update(text).digest())],
    ['Sec-3 RS256 where HS256 is configured', () => forge({ alg: 'RS256' }, claims(), withKey(rsa.privateKey))],
    ['Sec-5 a path as kid, signed with nothing', () => forge({ ...HS256, kid: '../../dev/null' }, claims(), hs256(''))],
    ['Sec-5 SQL as kid', () => signed(claims(), { ...HS256, kid: "x' UNION SELECT 'k" })],
    ['Sec-5 a kid of 129', () => signed(claims(), { ...HS256, kid: 'k'.repeat(129) })],
    ['Sec-5 a kid that is a list', () => signed(claims(), { ...HS256, kid: ['x'] })],
    ['Sec-5 a kid with NUL', () => signed(claims(), { ...HS256, kid: 'a\0b' })],
    ['Sec-5 an empty kid', () => signed(claims(), { ...HS256, kid: '' })],
    ['Sec-6 crit', () => signed(claims(), { ...HS256, crit: ['b64'], b64: true })],
    ['Sec-6 b64', () => signed(claims(), { ...HS256, b64: false })],
    ['Sec-6 zip', () => signed(claims(), { ...HS256, zip: 'DEF' })],
    ['Sec-6 a token in the token', () => signed(signed(claims()), { ...HS256, cty: 'JWT' })],
    ['Sec-6 a token in the token, unannounced', () => signed(signed(claims()))],
    ['Sec-6 cty', () => signed(claims(), { ...HS256, cty: 'JWT' })],
    ['Sec-6 two parts', () => signed(claims()).split('.').slice(0, 2).join('.')],
    ['Sec-6 four parts', () => `${signed(claims())}.a`],
    ['Sec-6 five parts', () => `${signed(claims())}.a.b`],
    ['Sec-6 JWE', () => `${part({ alg: 'dir', enc: 'A256GCM' })}..${part('iv')}.${part('text')}.${part('tag')}`],
    ['Sec-6 no signature', () => `${signed(claims()).split('.').slice(0, 2).join('.')}.`],
    ['Sec-7 padding', () => `${signed(claims())}=`],
    ['Sec-7 standard base64', () => forge(HS256, claims(), hs256(secret)).replace(/[^.]+$/, `${'ab+/'.repeat(10)}abc`)],
    ['Sec-7 garbage behind', () => `${signed(claims())}!`],
    ['Sec-7 a last character that is not canonical', () => signed(claims()).replace(/.$/, otherLastCharacter)],
    ['Sec-8 tenant twice', () => signed(twice('"tenant":"t2"'))],
    ['Sec-8 tenant twice, once escaped', () => signed(twice('"tenan\\u0074":"t2"'))],
    ['Sec-8 a key twice further inside', () => signed(twice('"more":[{"a":1,"b":{},"a":1}]'))],
    ['Sec-8 alg twice', () => signed(claims(), '{"alg":"none","alg":"HS256"}')],
    ['Sec-9 no exp', () => signed(claims({ exp: undefined }))],
    ['Sec-9 exp as text', () => signed(claims({ exp: '9999999999' }))],
    ['Sec-9 exp without end', () => signed(JSON.stringify(claims({ exp: 1 })).replace('"exp":1', '"exp":1e400'))],
    ['Sec-9 exp below zero', () => signed(claims({ exp: -1 }))],
    ['Sec-9 exp zero', () => signed(claims({ exp: 0 }))],
    ['Sec-10 nbf in 61 s', () => signed(claims({ nbf: now() + 61 }))],
    ['Sec-10 nbf as text', () => signed(claims({ nbf: 'x' }))],
    ['Sec-10 iat in ten minutes', () => signed(claims({ iat: now() + 600, exp: now() + 660 }))],
    ['Sec-10 no iat, and more than a day to live', () => signed(claims({ iat: undefined, exp: now() + 86_460 }))],
    ['Sec-10 iat as text', () => signed(claims({ iat: 'today' }))],
    ['Sec-10 iat zero', () => signed(claims({ iat: 0 }))],
    ['Sec-10 a life of a day and a second', () => signed(claims({ exp: now() + 86_401 }))],
    ['Sec-11 the issuer with a slash', () => signed(claims({ iss: 'https://issuer/' }))],
    ['Sec-11 the issuer in another case', () => signed(claims({ iss: 'https://Issuer' }))],
    ['Sec-11 the issuer in a list', () => signed(claims({ iss: ['https://issuer'] }))],
    ['Sec-11 no issuer', () => signed(claims({ iss: undefined }))],
    ['Sec-11 another audience', () => signed(claims({ aud: 'TRX' }))],
    ['Sec-11 other audiences', () => signed(claims({ aud: ['a', 'trx2', ['trx'], { trx: 'trx' }] }))],
    ['Sec-11 no audience', () => signed(claims({ aud: undefined }))],
    ['Sec-11 audiences without end', () => signed(claims({ aud: [...Array.from({ length: 64 }, (_, index) => index), 'trx'] }))],
    ['Sec-12 a refresh token', () => signed(claims(), { ...HS256, typ: 'refresh+jwt' })],
    ['Sec-12 a security event', () => signed(claims(), { ...HS256, typ: 'secevent+jwt' })],
    ['Sec-12 a type that is a list', () => signed(claims(), { ...HS256, typ: ['JWT'] })],
    ['rubbish', () => 'rubbish-and-no-token'],
    ['another secret', () => forge(HS256, claims(), hs256(randomBytes(32)))],
    ['a changed claim', () => signed(claims()).replace(/\.[^.]+\./, `.${part(claims({ tenant: 't2' }))}.`)],
    ['claims that are null', () => signed('null')],
    ['claims that are a list', () => signed([])],
    ['claims that are a text', () => signed('"x"')],
    ['more than 8 kB', () => signed(claims({ extra: 'x'.repeat(8_192) }))],
    ['no sub', () => signed(claims({ sub: undefined }))],
    ['sub with a line break', () => signed(claims({ sub: 'a\nb' }))],
    ['jti a number', () => signed(claims({ jti: 7 }))],
    ['jti too long', () => signed(claims({ jti: 'j'.repeat(129) }))],
    ['no tenant', () => signed(claims({ tenant: undefined }))],
    ['tenant system', () => signed(claims({ tenant: 'system' }))],
    ['tenant *', () => signed(claims({ tenant: '*' }))],
    ['tenant too long', () => signed(claims({ tenant: 'x'.repeat(65) }))],
    ['tenant a list', () => signed(claims({ tenant: ['t1'] }))],
    ['scope a list', () => signed(claims({ scope: ['tasks:read'] }))],
  ])('are refused: %s', async (_, make) => {
    await expectRefused(make());
  });

  it.each(['*', '*:*', 'tasks:', 'tasks:re*', 'tasks', 'TASKS:READ', 'tasks:read,tasks:write', 'admin', ''])(
    'give nothing for the scope "%s"',
    async (scope) => {
      expect(await bearer(signed(claims({ scope })))).toBe('403 insufficient-scope');
    },
  );

  it('Sec-9: live until exp plus a minute of leeway, a fraction of a second cut off, from memory too', async () => {
    const token = signed(claims({ exp: now() + 10.9 }));
    expect(await bearer(token)).toBe('200 ok');
    advance(69_000);
    expect(await bearer(token)).toBe('200 ok');
    advance(2_000);
    expect(await bearer(token)).toBe('401 token-expired');
    expect(await bearer(token)).toBe('401 token-expired');
    expect(await bearer(signed(claims({ iat: now() - 600, exp: now() - 59 })))).toBe('200 ok');
    expect(await bearer(signed(claims({ iat: now() - 600, exp: now() - 61 })))).toBe('401 token-expired');
    expect(JSON.stringify(front.lines)).toContain('"reason":"expired"');
  });

  it('Sec-10: begin with nbf and iat, a minute of leeway included, and live for a day at most', async () => {
    expect(await bearer(signed(claims({ nbf: now() + 60, iat: now() + 60, exp: now() + 90 })))).toBe('200 ok');
    expect(await bearer(signed(claims({ exp: now() + 86_400 })))).toBe('200 ok');
    expect(await bearer(signed(claims({ iat: undefined })))).toBe('200 ok');
  });

  it('are held to the leeway, the life and the type that are configured', async () => {
    const made = (changes: Claims = {}, typ?: string): string => signed(claims(changes), { alg: 'HS256', typ });
    expect(await bearer(made({}, 'at+jwt'), strict)).toBe('200 ok');
    for (const typ of [undefined, 'JWT', 'id+jwt']) await expectRefused(made({}, typ), strict);
    await expectRefused(made({ exp: now() + 61 }, 'at+jwt'), strict);
    await expectRefused(made({ nbf: now() + 1 }, 'at+jwt'), strict);
    const past = { iat: strict.clock.now() / 1_000 - 30, exp: strict.clock.now() / 1_000 - 1 };
    expect(await bearer(made(past, 'at+jwt'), strict)).toBe('401 token-expired');
  });
});

describe('public keys', () => {
  const token = (algorithm: string, signer: Signer, header: Claims = {}): string =>
    forge({ alg: algorithm, typ: 'JWT', ...header }, claims(), signer);

  it.each(ALGORITHMS)('verify %s and nothing else', async (algorithm) => {
    const at = open[algorithm];
    expect(await bearer(token(algorithm, withKey(pairs[algorithm].privateKey)), at)).toBe('200 ok');
    for (const other of ALGORITHMS.filter((name) => name !== algorithm)) {
      await expectRefused(token(other, withKey(pairs[other].privateKey)), at);
      await expectRefused(token(algorithm, withKey(pairs[other].privateKey)), at);
    }
    await expectRefused(token(algorithm, withBytes(Buffer.alloc(64))), at);
  });

  it.each(ALGORITHMS)('Sec-2: %s: the public key in every form is no secret', async (algorithm) => {
    const text = pem(pairs[algorithm].publicKey);
    const der = pairs[algorithm].publicKey.export({ type: 'spki', format: 'der' });
    const forms = [text, text.trim(), text.replaceAll('\n', '\\n'), der, der.toString('base64'), der.toString('base64url')];
    const jwk = JSON.stringify(createPublicKey(text).export({ format: 'jwk' }));
    for (const form of [...forms, jwk, Buffer.from(jwk).toString('base64'), text.split('\n').slice(1, -2).join('')]) {
      await expectRefused(token('HS256', hs256(form)), open[algorithm]);
    }
  });

  it('Sec-3: do not take a sibling of their algorithm', async () => {
    for (const algorithm of ['PS256', 'RS384', 'RS512']) await expectRefused(token(algorithm, withKey(rsa.privateKey)), open.RS256);
    await expectRefused(token('RS512', withKey(rsa.privateKey, 'sha512')), open.RS256);
    for (const algorithm of ['ES256K', 'ES384', 'ES512']) await expectRefused(token(algorithm, withKey(ec.privateKey)), open.ES256);
    for (const algorithm of ['Ed25519', 'Ed448', 'eddsa']) await expectRefused(token(algorithm, withKey(ed.privateKey)), open.EdDSA);
  });

  it('Sec-4: do not look at a key or an address that the token brings along', async () => {
    let requests = 0;
    const server = createServer((_request, response) => {
      requests += 1;
      response.end('{}');
    });
    await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
    const url = `http://127.0.0.1:${(server.address() as AddressInfo).port}/`;
    const attackers = {
      RS256: generateKeyPairSync('rsa', { modulusLength: 2_048 }),
      ES256: generateKeyPairSync('ec', { namedCurve: 'P-256' }),
      EdDSA: generateKeyPairSync('ed25519'),
    };
    try {
      for (const algorithm of ALGORITHMS) {
        const { publicKey, privateKey } = attackers[algorithm];
        const der = publicKey.export({ type: 'spki', format: 'der' }).toString('base64');
        const header = { jwk: publicKey.export({ format: 'jwk' }), jku: url, x5u: url, x5c: [der], kid: url };
        await expectRefused(token(algorithm, withKey(privateKey), header), open[algorithm]);
        expect(await bearer(token(algorithm, withKey(pairs[algorithm].privateKey), header), open[algorithm])).toBe('200 ok');
      }
    } finally {
      server.close();
    }
    expect(requests).toBe(0);
  });

  it('Sec-13: do not take a signature of zeros, of zero r and s in another form, or of another length', async () => {
    const ones = Buffer.alloc(64);
    ones[31] = ones[63] = 1;
    for (const bytes of [Buffer.alloc(64), ones, Buffer.from('3006020100020100', 'hex'), Buffer.alloc(1), Buffer.alloc(96)]) {
      for (const algorithm of ALGORITHMS) await expectRefused(token(algorithm, withBytes(bytes)), open[algorithm]);
    }
    const der = (text: string): Buffer => Buffer.concat([withKey(ec.privateKey)(text), Buffer.alloc(1)]);
    await expectRefused(token('ES256', der), open.ES256);
  });
});

/** The same bytes to a lenient reader: only the bits that are not used differ. */
function otherLastCharacter(last: string): string {
  const alphabet = 'ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_';
  return alphabet[alphabet.indexOf(last) ^ 1] ?? '';
}

/** The claims as text, with one more member at their end. */
function twice(member: string): string {
  return `${JSON.stringify(claims()).slice(0, -1)},${member}}`;
}

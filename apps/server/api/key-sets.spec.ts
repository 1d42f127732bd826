/** The key set of an issuer over real TLS: rotation, outages, and an issuer that answers badly, slowly or without end. */
import { generateKeyPairSync, type KeyObject } from 'node:crypto';
import { mkdtempSync, rmSync } from 'node:fs';
import type { ServerResponse } from 'node:http';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, it, jest } from '@jest/globals';
import { forge, withKey } from '../../../test/support/forge.js';
import { startFront, type Front } from '../../../test/support/front.js';
import { makeAuthority, type Authority } from '../../../test/support/hook-certificates.js';
import { HookServer } from '../../../test/support/hook-server.js';
import { until } from '../../../test/support/until.js';

const rsa = generateKeyPairSync('rsa', { modulusLength: 2_048 });
const ec = generateKeyPairSync('ec', { namedCurve: 'P-256' });
const ed = generateKeyPairSync('ed25519');
const jwk = (key: KeyObject, kid: string): object => ({ ...key.export({ format: 'jwk' }), kid, use: 'sig' });
const COOL_MS = 30_000;
const TIMEOUT_MS = 1_500;
/** Every test makes an issuer with a certificate, and some wait for a timeout. */
const TEST_MS = 30_000;

jest.setTimeout(TEST_MS);

let directory: string;
let authority: Authority;
let issuer: HookServer;
let front: Front;
/** How often the key set was asked for before the test. */
let asked: number;
/** What the issuer publishes. */
let keys: object[];
let answer: (response: ServerResponse) => void;

function publish(response: ServerResponse): void {
  response.setHeader('content-type', 'application/jwk-set+json; charset=utf-8');
  response.end(JSON.stringify({ keys }));
}

beforeAll(() => {
  directory = mkdtempSync(join(tmpdir(), 'key-sets-'));
  authority = makeAuthority(directory);
});
afterAll(() => {
  rmSync(directory, { recursive: true });
});
beforeEach(async () => {
  keys = [jwk(rsa.publicKey, 'r'), jwk(ec.publicKey, 'e'), jwk(ed.publicKey, 'd')];
  answer = publish;
  issuer = await HookServer.http(
    '127.0.0.1',
    (_request, response) => {
      answer(response);
    },
    authority.issue('localhost'),
  );
  front = await startFront({
    ...{ AUTH_JWKS_URL: `https://localhost:${issuer.port}/keys`, AUTH_ISSUER: 'https://issuer', AUTH_AUDIENCE: 'trx' },
    ...{ AUTH_JWKS_REFRESH_MS: '600000', AUTH_JWKS_TIMEOUT_MS: String(TIMEOUT_MS), OUTBOUND_CA_FILE: authority.file },
  });
  await until(() => issuer.seen.length > 0, { what: 'the first fetch' });
  await until(async () => (await ask(token('r'))) === '200 ok', { what: 'the first key set' });
  asked = issuer.seen.length;
});
afterEach(async () => {
  await front.close();
  await issuer.close();
});

const SIGNERS = { r: ['RS256', rsa.privateKey], e: ['ES256', ec.privateKey], d: ['EdDSA', ed.privateKey] } as const;

function token(kid: keyof typeof SIGNERS, header: object = {}): string {
  const [alg, key] = SIGNERS[kid];
  const now = front.clock.now() / 1_000;
  const claims = { sub: 's', tenant: 't1', scope: 'tasks:read', iss: 'https://issuer', aud: 'trx', iat: now, exp: now + 3_600 };
  return forge({ alg, kid, ...header }, claims, withKey(key));
}

async function ask(text: string): Promise<string> {
  const response = await fetch(`${front.url}/api/tasks`, { headers: { authorization: `Bearer ${text}` } });
  const { code = 'ok' } = (await response.json()) as { code?: string };
  return `${response.status} ${code}`;
}

describe('a key set of an issuer', () => {
  it('verifies RS256, ES256 and EdDSA, each with its own key', async () => {
    expect([await ask(token('r')), await ask(token('e')), await ask(token('d'))]).toEqual(['200 ok', '200 ok', '200 ok']);
    for (const wrong of [
      token('r', { kid: 'e' }),
      token('e', { alg: 'RS256' }),
      token('d', { kid: undefined }),
      token('e', { kid: 'd', alg: 'EdDSA' }),
    ]) {
      expect(await ask(wrong)).toBe('401 invalid-token');
    }
    expect(issuer.seen).toHaveLength(asked);
  });

  it('is fetched once for many unknown keys', async () => {
    front.clock.advance(COOL_MS);
    const answers = Array.from({ length: 200 }, (_, index) => ask(token('r', { kid: `unknown-${index}` })));
    expect(new Set(await Promise.all(answers))).toEqual(new Set(['401 invalid-token']));
    expect(issuer.seen).toHaveLength(asked + 1);
  });

  it('takes a new key at once after the cool-down, and then refuses the old one, remembered or not', async () => {
    const old = token('r');
    expect(await ask(old)).toBe('200 ok');
    keys = [jwk(rsa.publicKey, 'new')];
    const fresh = token('r', { kid: 'new' });
    expect(await ask(fresh)).toBe('401 invalid-token');
    expect(await ask(old)).toBe('200 ok');
    front.clock.advance(COOL_MS);
    expect([await ask(fresh), await ask(token('e'))]).toEqual(['200 ok', '401 invalid-token']);
    expect(await ask(old)).toBe('401 invalid-token');
  });

  it('lasts for a day of outage, and then the answer is 503 and never "come in"', async () => {
    await issuer.close();
    front.clock.advance(86_399_000);
    expect(await ask(token('r'))).toBe('200 ok');
    expect(await ask(token('r', { kid: 'unknown' }))).toBe('401 invalid-token');
    const remembered = token('r');
    expect(await ask(remembered)).toBe('200 ok');
    front.clock.advance(2_000);
    expect([await ask(token('r')), await ask(remembered)]).toEqual(['503 dependency-unavailable', '503 dependency-unavailable']);
  });

  it.each<[string, (response: ServerResponse) => void]>([
    ['a redirect', (response) => response.writeHead(302, { location: 'https://localhost/keys' }).end()],
    ['an error', (response) => response.writeHead(500, { 'content-type': 'application/json' }).end('{"keys":[]}')],
    ['a page', (response) => response.writeHead(200, { 'content-type': 'text/html' }).end('{"keys":[]}')],
    ['no JSON', (response) => response.writeHead(200, { 'content-type': 'application/json' }).end('{')],
    [
      'too much',
      (response) => response.writeHead(200, { 'content-type': 'application/json' }).end(`{"keys":[],"x":"${'x'.repeat(262_144)}"}`),
    ],
    ['nothing', () => undefined],
    ['half an answer', (response) => void response.writeHead(200, { 'content-type': 'application/json' }).write('{"keys":')],
    [
      'an answer without end',
      (response) => {
        response.writeHead(200, { 'content-type': 'application/json' });
        const more = (): void => {
          if (response.writable) response.write(' '.repeat(16_384), more);
        };
        more();
      },
    ],
    [
      'an answer drop by drop',
      (response) => {
        response.writeHead(200, { 'content-type': 'application/json' });
        const timer = setInterval(() => response.write(' '), 20);
        response.once('close', () => {
          clearInterval(timer);
        });
      },
    ],
  ])('is kept when the issuer answers with %s', async (_, badly) => {
    answer = badly;
    front.clock.advance(COOL_MS);
    expect(await ask(token('r', { kid: 'unknown' }))).toBe('401 invalid-token');
    expect(issuer.seen).toHaveLength(asked + 1);
    expect([await ask(token('r')), await ask(token('e'))]).toEqual(['200 ok', '200 ok']);
    expect(front.lines).toContainEqual(expect.objectContaining({ msg: expect.stringContaining('could not be fetched') }));
    await until(() => issuer.open === 0, { what: 'the connection to be closed' });
  });
});

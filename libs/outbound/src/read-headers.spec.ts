import { describe, expect, it } from '@jest/globals';
import { HeaderNotAllowed } from './outbound-errors.js';
import { readHeaders } from './read-headers.js';

const NONE: ReadonlySet<string> = new Set();

function refusal(headers: Record<string, string>, more = NONE): unknown {
  try {
    readHeaders(headers, more, {});
    return null;
  } catch (error) {
    return error;
  }
}

describe('readHeaders', () => {
  it('takes what a user may set, in lower case, and puts ours in its place', () => {
    const users = {
      Accept: '*/*',
      'ACCEPT-LANGUAGE': 'de',
      Authorization: 'Bearer a b',
      'Content-Type': 'text/plain',
      'X-Hub-Signature-256': 'a=~ b',
    };
    expect(readHeaders({ ...users, 'X-Ours': 'no' }, NONE, { 'x-OURS': 'yes', 'User-Agent': 'us' })).toEqual({
      accept: '*/*',
      'accept-language': 'de',
      authorization: 'Bearer a b',
      'content-type': 'text/plain',
      'x-hub-signature-256': 'a=~ b',
      'x-ours': 'yes',
      'user-agent': 'us',
    });
  });

  it('takes what the operator lists besides, except what would change the request itself', () => {
    const more = new Set(['private-token', 'host', 'cookie', 'content-length']);
    expect(readHeaders({ 'PRIVATE-TOKEN': 'abc' }, more, {})).toEqual({ 'private-token': 'abc' });
    for (const name of ['Host', 'cookie', 'Content-Length']) expect(refusal({ [name]: '1' }, more)).toBeInstanceOf(HeaderNotAllowed);
  });

  it.each([
    ...['Host', 'HOST', 'Content-Length', 'Transfer-Encoding', 'Connection', 'Keep-Alive', 'Upgrade', 'TE', 'Trailer', 'Expect', 'Via'],
    ...['Cookie', 'Cookie2', 'Set-Cookie', 'Proxy-Authorization', 'Proxy-Connection', 'Accept-Encoding', 'User-Agent', 'Idempotency-Key'],
    ...[
      'Forwarded',
      'X-Forwarded-For',
      'X-Forwarded-Host',
      'X-Real-IP',
      'X-Original-URL',
      'X-Rewrite-URL',
      'X-Client-IP',
      'Sec-Fetch-Site',
    ],
    ...[
      'Referer',
      'Origin',
      'Range',
      'Metadata-Flavor',
      'Content-Encoding',
      'HTTP2-Settings',
      'x y',
      'X-a b',
      'X-',
      'X',
      'x-é',
      'X-A:',
      'X-A\r\nHost',
    ],
    ...['', ' ', ':path', '__proto__', 'constructor', 'X-\u0000', '\u212Aeep-Alive', `X-${'a'.repeat(63)}`],
  ])('refuses the name %j', (name) => {
    const headers: Record<string, string> = Object.fromEntries([[name, 'value']]);
    expect(refusal(headers)).toMatchObject({ kind: 'invalid', code: 'header-not-allowed', fields: [{ code: 'header-not-allowed' }] });
  });

  it.each([
    'a\r\nHost: x',
    'a\nb',
    'a\rb',
    'a\u0000',
    'a\u0085b',
    'a\u2028b',
    'ü',
    '你',
    '\ud800',
    '\u007f',
    '\t',
    '',
    ' ',
    ' a',
    'a ',
    'a\tb',
    'x'.repeat(2_049),
  ])('refuses the value %j, also of Authorization', (value) => {
    expect(refusal({ 'X-A': value })).toMatchObject({ code: 'header-not-allowed', fields: [{ pointer: '/headers/X-A' }] });
    expect(refusal({ Authorization: value })).toMatchObject({ code: 'header-not-allowed' });
  });

  it('refuses a name twice, and more than 32', () => {
    expect(refusal({ 'X-A': '1', 'x-a': '2' })).toBeInstanceOf(HeaderNotAllowed);
    const many = (count: number) => Object.fromEntries(Array.from({ length: count }, (_, index) => [`X-${index}`, '1']));
    expect(refusal(many(32))).toBeNull();
    expect(refusal(many(33))).toBeInstanceOf(HeaderNotAllowed);
  });

  it('repeats no name that could not be shown', () => {
    expect(refusal({ 'X-A\r\nHost': '1' })).toMatchObject({ fields: [{ pointer: '/headers' }] });
  });
});

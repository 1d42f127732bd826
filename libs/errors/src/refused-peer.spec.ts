import { describe, expect, it } from '@jest/globals';
import { refusedPeer } from './refused-peer.js';

const failure = (code: string, message = 'certificate verify failed', more: object = {}): Error =>
  Object.assign(new Error(message), { code, ...more });

describe('a server that TLS refuses', () => {
  it.each([
    [failure('SELF_SIGNED_CERT_IN_CHAIN'), 'authority'],
    [failure('UNABLE_TO_VERIFY_LEAF_SIGNATURE'), 'authority'],
    [failure('HANDSHAKE_SSL_ERROR', 'unable to verify the first certificate'), 'authority'],
    [failure('CERT_HAS_EXPIRED'), 'not valid at this time'],
    [failure('HANDSHAKE_SSL_ERROR', 'certificate has expired'), 'not valid at this time'],
    [failure('ERR_TLS_CERT_ALTNAME_INVALID'), 'another name'],
    [failure('HANDSHAKE_SSL_ERROR', "Hostname/IP does not match certificate's altnames", { reason: 'r', cert: {} }), 'another name'],
    [failure('HANDSHAKE_NO_SSL_SUPPORT', 'Server does not support secure connection'), 'does not speak TLS'],
  ])('is told by %s', (error, words) => {
    expect(refusedPeer(error)).toContain(words);
  });

  it.each([
    failure('ECONNREFUSED', 'connect ECONNREFUSED'),
    failure('HANDSHAKE_SSL_ERROR', 'Client network socket disconnected before secure TLS connection was established'),
    new Error('no code'),
    'a text',
    null,
    undefined,
  ])('is not what %s says', (error) => {
    expect(refusedPeer(error)).toBeNull();
  });
});

/** Why TLS with a server did not come about, in words that an operator can act on and that name nothing of the server itself. */

const UNTRUSTED = new Set([
  'DEPTH_ZERO_SELF_SIGNED_CERT',
  'SELF_SIGNED_CERT_IN_CHAIN',
  'UNABLE_TO_GET_ISSUER_CERT',
  'UNABLE_TO_GET_ISSUER_CERT_LOCALLY',
  'UNABLE_TO_VERIFY_LEAF_SIGNATURE',
  'CERT_SIGNATURE_FAILURE',
  'CERT_UNTRUSTED',
  'CERT_REJECTED',
  'CERT_REVOKED',
  'INVALID_CA',
  'INVALID_PURPOSE',
]);
const OUT_OF_TIME = new Set(['CERT_HAS_EXPIRED', 'CERT_NOT_YET_VALID']);
const OTHER_NAME = new Set(['ERR_TLS_CERT_ALTNAME_INVALID', 'HOSTNAME_MISMATCH']);
const NO_TLS = new Set(['HANDSHAKE_NO_SSL_SUPPORT', 'ERR_SSL_WRONG_VERSION_NUMBER', 'ERR_SSL_PACKET_LENGTH_TOO_LONG']);
/** The MySQL driver overwrites the code of the refusal with this one; the kinds can then be told by their other marks. */
const DRIVER_CODE = 'HANDSHAKE_SSL_ERROR';

/** Completes "the server …"; null where the error is not about TLS. Waiting cures none of these. */
export function refusedPeer(error: unknown): string | null {
  if (typeof error !== 'object' || error === null) return null;
  const { code, message } = error as { code?: unknown; message?: unknown };
  if (typeof code !== 'string' || typeof message !== 'string') return null;
  const isDrivers = code === DRIVER_CODE;
  if (NO_TLS.has(code)) return 'does not speak TLS';
  if (OUT_OF_TIME.has(code) || (isDrivers && /expired|not yet valid/.test(message)))
    return 'has a certificate that is not valid at this time';
  if (OTHER_NAME.has(code) || (isDrivers && 'reason' in error && 'cert' in error)) return 'has a certificate for another name';
  // A connection that broke during the handshake has the driver's code as well, and is worth another try.
  const isUntrusted = UNTRUSTED.has(code) || (isDrivers && /certificate/i.test(message));
  return isUntrusted ? 'has a certificate from an authority that is not trusted here' : null;
}

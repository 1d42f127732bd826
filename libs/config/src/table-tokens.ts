/** Settings of the tokens that callers show: which keys prove them, whom they must come from and be for, how long they live, and how they are revoked. */
import { publicKey, sharedSecret } from './credentials.js';
import { keySetUrl } from './key-set-url.js';
import { choice, integer, text, type SettingRoles } from './setting.js';

const roles: SettingRoles = ['api'];
const VISIBLE = { pattern: /^[^\s\p{Cc}]([^\p{Cc}]{0,253}[^\s\p{Cc}])?$/u, accepts: 'a text of 1 to 255 characters', fallback: null };
const DAY_MS = 86_400_000;

export const TOKEN_SETTINGS = {
  AUTH_JWT_SECRET: sharedSecret({
    roles,
    doc: 'Verifies HS256 tokens. On an embedded start without any key, one is made and kept beside the database file.',
  }),
  AUTH_JWT_PUBLIC_KEY: publicKey({ roles, doc: 'Verifies RS256, ES256 or EdDSA tokens, instead of `AUTH_JWT_SECRET`.' }),
  AUTH_JWKS_URL: keySetUrl({
    roles,
    doc: 'Where the issuer publishes its keys (RS256, ES256, EdDSA), instead of `AUTH_JWT_SECRET`. Exactly this host may be private.',
  }),
  AUTH_ISSUER: text({ ...VISIBLE, roles, doc: 'The `iss` claim of a token must equal it. Needed with public keys.' }),
  AUTH_AUDIENCE: text({ ...VISIBLE, roles, doc: 'The `aud` claim of a token must be or contain it. Needed with public keys.' }),
  AUTH_TOKEN_TYPE: choice({
    roles,
    values: ['any', 'at+jwt'],
    fallback: 'any',
    doc: 'The `typ` header of a token: `JWT`, `at+jwt` or none, or nothing but `at+jwt`, which keeps ID tokens of the same issuer out.',
  }),
  AUTH_LEEWAY_MS: integer({
    roles,
    fallback: 60_000,
    min: 0,
    max: 300_000,
    unit: 'ms',
    doc: 'How far the clock of the issuer may be off.',
  }),
  AUTH_TOKEN_LIFETIME_MAX_MS: integer({
    roles,
    fallback: DAY_MS,
    min: 60_000,
    max: 365 * DAY_MS,
    unit: 'ms',
    doc: 'Longest accepted life of a token, `iat` to `exp`.',
  }),
  AUTH_JWKS_REFRESH_MS: integer({
    roles,
    fallback: 300_000,
    min: 1_000,
    max: 600_000,
    unit: 'ms',
    doc: 'How often the key set is fetched again; a key that is gone from it is refused from then on.',
  }),
  AUTH_JWKS_COOLDOWN_MS: integer({
    roles,
    fallback: 30_000,
    min: 1_000,
    max: 300_000,
    unit: 'ms',
    doc: 'A token with an unknown key has the key set fetched at once, at most once in this time.',
  }),
  AUTH_JWKS_MAX_AGE_MS: integer({
    roles,
    fallback: DAY_MS,
    min: 60_000,
    max: DAY_MS,
    unit: 'ms',
    doc: 'How long the last key set is used while it cannot be fetched; after that, calls with tokens are answered with 503.',
  }),
  AUTH_JWKS_TIMEOUT_MS: integer({
    roles,
    fallback: 3_000,
    min: 100,
    max: 10_000,
    unit: 'ms',
    doc: 'How long one fetch of the key set may take.',
  }),
  AUTH_REVOCATION_POLL_MS: integer({
    roles,
    fallback: 5_000,
    min: 200,
    max: 15_000,
    unit: 'ms',
    doc: 'How often every process looks for new revocations.',
  }),
  AUTH_REVOCATION_STALE_MS: integer({
    roles,
    fallback: 30_000,
    min: 1_000,
    max: 300_000,
    unit: 'ms',
    doc: 'A process that could not look for revocations for so long answers calls with tokens with 503.',
  }),
  AUTH_REVOCATIONS_MAX: integer({
    roles,
    fallback: 10_000,
    min: 10,
    max: 100_000,
    doc: 'How many revocations of one tenant may be in force at a time.',
  }),
} as const;

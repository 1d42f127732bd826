/**
 * The rules between the settings of tokens. A public key, and a key set even more so, says who signed a token and not for whom:
 * the same issuer signs tokens for every other service of the house. So issuer and audience must be named where such keys are
 * used; a shared secret is known to this installation and its issuer alone, and needs neither.
 */
import { isEmbedded, type Rule } from './rule.js';
import type { SettingValues } from './settings.js';

function keysOf({ authJwtSecret, authJwtPublicKey, authJwksUrl }: SettingValues): string[] {
  const given = { AUTH_JWT_SECRET: authJwtSecret, AUTH_JWT_PUBLIC_KEY: authJwtPublicKey, AUTH_JWKS_URL: authJwksUrl };
  return Object.entries(given).flatMap(([name, value]) => (value === null ? [] : [name]));
}

function missingNames({ authIssuer, authAudience }: SettingValues): string[] {
  return [...(authIssuer === null ? ['AUTH_ISSUER'] : []), ...(authAudience === null ? ['AUTH_AUDIENCE'] : [])];
}

export const TOKEN_RULES: readonly Rule[] = [
  {
    needs: ['authJwtSecret', 'authJwtPublicKey', 'authJwksUrl'],
    problem: (values: SettingValues): string | null => {
      const keys = keysOf(values);
      return keys.length > 1
        ? `${keys.join(' and ')} are set together: keep the one your tokens are signed for and remove the rest.`
        : null;
    },
  },
  {
    needs: ['role', 'databaseUrl', 'redisUrls', 'authJwtSecret', 'authJwtPublicKey', 'authJwksUrl'],
    problem: (values) =>
      (values.role === 'api' || values.role === 'all') && !isEmbedded(values) && keysOf(values).length === 0
        ? 'AUTH_JWT_SECRET, AUTH_JWT_PUBLIC_KEY or AUTH_JWKS_URL must be set: the api cannot verify tokens without one of them.'
        : null,
  },
  {
    needs: ['databaseUrl', 'redisUrls', 'authJwtPublicKey', 'authJwksUrl', 'authIssuer', 'authAudience'],
    problem: (values: SettingValues): string | null => {
      const isNeeded = values.authJwksUrl !== null || (values.authJwtPublicKey !== null && !isEmbedded(values));
      const missing = isNeeded ? missingNames(values) : [];
      return missing.length > 0
        ? `${missing.join(' and ')} must be set with ${keysOf(values).join(' and ')}: otherwise tokens that were issued for other services are accepted here.`
        : null;
    },
  },
  {
    needs: ['authRevocationPollMs', 'authRevocationStaleMs'],
    problem: (values) =>
      values.authRevocationStaleMs < 2 * values.authRevocationPollMs
        ? 'AUTH_REVOCATION_STALE_MS must be at least twice AUTH_REVOCATION_POLL_MS, or one slow answer of the database stops every call.'
        : null,
  },
  {
    needs: ['authJwksRefreshMs', 'authJwksMaxAgeMs'],
    problem: (values) =>
      values.authJwksMaxAgeMs < 2 * values.authJwksRefreshMs
        ? 'AUTH_JWKS_MAX_AGE_MS must be at least twice AUTH_JWKS_REFRESH_MS, or one failed fetch stops every call.'
        : null,
  },
];

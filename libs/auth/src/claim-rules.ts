/** What the claims of a token are held against, as configured. */
import type { Config } from '@app/config';

export interface ClaimRules {
  /** What `iss` must equal; null where any will do. */
  readonly issuer: string | null;
  /** What `aud` must be or contain; null where any will do. */
  readonly audience: string | null;
  /** How far the clocks of issuer and verifier may differ, in ms. */
  readonly leewayMs: number;
  /** Longest life, `iat` to `exp`, in ms. */
  readonly lifetimeMaxMs: number;
  /** The `typ` header: `JWT`, `at+jwt` or none, or `at+jwt` alone. */
  readonly type: 'any' | 'at+jwt';
  /** Whether `iat` must be there: always where others sign, whose tokens may have to be revoked. */
  readonly issuedAtRequired: boolean;
}

export type ClaimSettings = Pick<
  Config,
  'authIssuer' | 'authAudience' | 'authLeewayMs' | 'authTokenLifetimeMaxMs' | 'authTokenType' | 'authJwksUrl' | 'authJwtPublicKey'
>;

export function claimRulesOf(settings: ClaimSettings): ClaimRules {
  return {
    issuer: settings.authIssuer,
    audience: settings.authAudience,
    leewayMs: settings.authLeewayMs,
    lifetimeMaxMs: settings.authTokenLifetimeMaxMs,
    type: settings.authTokenType,
    issuedAtRequired: settings.authJwksUrl !== null || settings.authJwtPublicKey !== null,
  };
}

/**
 * The strategy of passport-jwt with the key chosen first: by the `kid` among our keys, and only where the token names the
 * algorithm that this key has. The library verifies HS256, RS256 and ES256; it does not know EdDSA, which is one call of
 * node:crypto. It is left nothing else to decide: form, issuer, audience and times are read by our own files, with our clock.
 */
import { verify as verifySignature } from 'node:crypto';
import type { Request } from 'express';
import passportJwt from 'passport-jwt';
import { InvalidToken } from './auth-errors.js';
import type { ClaimRules } from './claim-rules.js';
import type { VerifiedToken, ReadClaims } from './token-claims.js';
import type { TokenKeys, VerificationKey } from './token-keys.js';
import { claimsOf, readHeader } from './token-shape.js';

export interface TokenStrategyParts {
  readonly keys: TokenKeys;
  readonly rules: Pick<ClaimRules, 'type'>;
  /** Reads the claims of a token whose signature is right. Throws InvalidToken, TokenExpired. */
  readClaims(claims: Readonly<Record<string, unknown>>): ReadClaims;
}

/** Which of them may verify a token is settled before the library is asked. */
const LIBRARY_ALGORITHMS = ['HS256', 'RS256', 'ES256'] as const;
const bearerOf = passportJwt.ExtractJwt.fromAuthHeaderAsBearerToken();

export class TokenStrategy extends passportJwt.Strategy {
  private readonly chosen: WeakMap<Request, VerificationKey>;

  constructor(private readonly parts: TokenStrategyParts) {
    const chosen = new WeakMap<Request, VerificationKey>();
    const options = {
      jwtFromRequest: bearerOf,
      secretOrKeyProvider: (request: Request, _token: unknown, done: (error: null, key: Buffer) => void): void => {
        // The typings know strings and buffers only; the library itself takes key objects.
        done(null, chosen.get(request)?.key as unknown as Buffer);
      },
      algorithms: [...LIBRARY_ALGORITHMS],
      ignoreExpiration: true,
      jsonWebTokenOptions: { ignoreNotBefore: true },
      passReqToCallback: true as const,
    };
    super(options, (request: Request, claims: Readonly<Record<string, unknown>>, done) => {
      try {
        done(null, { ...parts.readClaims(claims), key: chosen.get(request) });
      } catch (error) {
        done(error, false);
      }
    });
    this.chosen = chosen;
  }

  override authenticate(request: Request): void {
    this.attempt(request).catch((error: unknown) => {
      this.error(error as Error);
    });
  }

  private async attempt(request: Request): Promise<void> {
    const token = bearerOf(request) ?? '';
    const { keyId, algorithm } = readHeader(token, this.parts.rules);
    const key = await this.parts.keys.find(keyId, algorithm);
    if (key.algorithm === 'EdDSA') {
      this.success(this.verifyEdwards(token, key));
    } else {
      this.chosen.set(request, key);
      super.authenticate(request);
    }
  }

  private verifyEdwards(token: string, key: VerificationKey): VerifiedToken {
    const end = token.lastIndexOf('.');
    const signature = Buffer.from(token.slice(end + 1), 'base64url');
    if (!verifySignature(null, Buffer.from(token.slice(0, end)), key.key, signature)) {
      throw new InvalidToken('invalid signature');
    }
    return { ...this.parts.readClaims(claimsOf(token)), key };
  }
}

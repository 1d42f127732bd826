/**
 * The keys of an issuer, fetched from where it publishes them. They are fetched again every few minutes, so that a key which is
 * gone from there is refused here, and once in a cool-down for a token with an unknown `kid`, so that a new key is known at once
 * and tokens that were made up cannot have the issuer asked at will. While the issuer does not answer, or answers with something
 * else than a key set, the last set is used, for a day at most; after that nobody is let in and nobody is called a liar: 503.
 */
import { Unavailable } from '@app/errors';
import type { Clock } from '@app/lifecycle';
import type { Logger } from '@app/telemetry';
import { InvalidToken } from './auth-errors.js';
import { isSame, readKeySet, type ReadKeySet } from './read-key-set.js';
import { TokenKeys, type VerificationKey } from './token-keys.js';

/** The algorithms of public keys; a token with another one is refused before anybody is asked. */
const ALGORITHMS: ReadonlySet<string> = new Set(['RS256', 'ES256', 'EdDSA']);

export interface KeySetLimits {
  /** Shortest time between two fetches for unknown keys, in ms. */
  readonly coolDownMs: number;
  /** How long the last set may be used, in ms. */
  readonly maxAgeMs: number;
}

export class KeySet extends TokenKeys {
  private keys: ReadKeySet['keys'] = new Map();
  private held: ReadonlySet<VerificationKey> = new Set();
  private fetching: Promise<void> | null = null;
  private fetchedAt = Number.NEGATIVE_INFINITY;
  private triedAt = Number.NEGATIVE_INFINITY;
  private warned = '';

  constructor(
    /** The document, as text. Ends in time, one way or the other. */
    private readonly fetch: () => Promise<string>,
    private readonly clock: Clock,
    private readonly logger: Pick<Logger, 'info' | 'warn'>,
    private readonly limits: KeySetLimits,
  ) {
    super();
  }

  get wasFetched(): boolean {
    return Number.isFinite(this.fetchedAt);
  }

  /** Whether there is a set that may be used. */
  get isUsable(): boolean {
    return this.clock.monotonic() - this.fetchedAt <= this.limits.maxAgeMs;
  }

  /** Fetches the set; calls that overlap share one fetch. Where it fails, the last set stays and the error is thrown. */
  refresh(): Promise<void> {
    this.triedAt = this.clock.monotonic();
    this.fetching ??= this.load().finally(() => {
      this.fetching = null;
    });
    return this.fetching;
  }

  async find(keyId: string | null, algorithm: string): Promise<VerificationKey> {
    if (!ALGORITHMS.has(algorithm)) {
      throw new InvalidToken('not an algorithm of public keys');
    }
    if (!this.isUsable || (keyId !== null && !this.keys.has(keyId))) {
      await this.askAgain();
    }
    this.assertUsable();
    const key = keyId === null ? this.onlyKey() : this.keys.get(keyId);
    if (key === undefined) {
      throw new InvalidToken('the issuer has no such key');
    }
    if (key.algorithm !== algorithm) {
      throw new InvalidToken('not the algorithm of the key');
    }
    return key;
  }

  holds(key: VerificationKey): boolean {
    this.assertUsable();
    return this.held.has(key);
  }

  /** Waits for the fetch under way, or starts one where the cool-down is over. A failure is told by what is then known. */
  private async askAgain(): Promise<void> {
    const isCool = this.clock.monotonic() - this.triedAt >= this.limits.coolDownMs;
    if (this.fetching === null && !isCool) return;
    try {
      await (this.fetching ?? this.refresh());
    } catch (err) {
      this.logger.warn({ err }, 'The key set of the issuer could not be fetched; the last one is used while it is not too old.');
    }
  }

  private assertUsable(): void {
    if (!this.isUsable) {
      throw new Unavailable('The keys of the issuer of your tokens cannot be fetched at the moment. Repeat the request shortly.');
    }
  }

  private onlyKey(): VerificationKey | undefined {
    const [only] = this.held;
    return this.held.size === 1 ? only : undefined;
  }

  private async load(): Promise<void> {
    const { keys, ignored } = readKeySet(await this.fetch());
    // A key that stays under its name is the same object as before, so that what was verified with it stays verified.
    const known = [...this.held];
    this.keys = new Map(
      [...keys].map(([keyId, key]) => {
        const old = this.keys.get(keyId);
        return [keyId, old !== undefined && isSame(old, key) ? old : key];
      }),
    );
    this.held = new Set(this.keys.values());
    this.fetchedAt = this.clock.monotonic();
    const kept = [...this.held].filter((key) => known.includes(key)).length;
    const changes = { keys: this.held.size, added: this.held.size - kept, removed: known.length - kept };
    if (changes.added + changes.removed > 0) this.logger.info(changes, 'The key set of the issuer has changed.');
    this.warnOfIgnored(ignored);
  }

  /** Once for the same finding, not at every fetch. */
  private warnOfIgnored(ignored: readonly string[]): void {
    const text = ignored.join('; ');
    if (text !== this.warned && ignored.length > 0) {
      this.logger.warn({ ignored, usable: this.held.size }, 'Keys of the issuer are not used.');
    }
    this.warned = text;
  }
}

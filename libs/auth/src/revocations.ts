/**
 * What this process knows of revoked tokens. It reads all of them at first and then every few seconds what has changed, going
 * back a little further each time than it has read already: a change may be written with the time of one moment and become
 * visible in a later one. Where the database's clock has stepped back (a failover), it reads all of them again.
 *
 * A process that could not read for longer than the bound does not guess: before it accepts another token it reads, and while it
 * cannot, the call is answered with 503. Without the database it could do nothing for its caller anyway.
 */
import { Unavailable } from '@app/errors';
import { within, type Clock } from '@app/lifecycle';
import { InvalidToken } from './auth-errors.js';
import { RevocationList } from './revocation-list.js';
import type { RevocationStore } from './revocation-store.js';
import type { ReadClaims } from './token-claims.js';

/** How far back changes are read again, in ms: longer than a statement takes from its time to its commit. */
const OVERLAP_MS = 60_000;
/** How long a call waits for a reading that is overdue, in ms. */
const CATCH_UP_MS = 3_000;

export class Revocations {
  private readonly list = new RevocationList();
  /** The database's time at the last reading, in ms since the epoch. */
  private readUpTo = 0;
  private readAt = Number.NEGATIVE_INFINITY;
  private reading: Promise<void> | null = null;

  constructor(
    private readonly store: Pick<RevocationStore, 'now' | 'changesSince'>,
    private readonly clock: Clock,
    /** The age, in ms, beyond which what is known counts as unknown. */
    private readonly staleMs: number,
  ) {}

  /** Reads what has changed; calls that overlap share one reading. */
  refresh(): Promise<void> {
    this.reading ??= this.read().finally(() => {
      this.reading = null;
    });
    return this.reading;
  }

  /** Reads once more after a reading under way, so that what was committed before this call is seen. */
  async readAgain(): Promise<void> {
    await this.reading?.catch(() => undefined);
    await this.refresh();
  }

  /** @throws InvalidToken where the token is revoked, Unavailable where that cannot be known */
  async assertStanding({ principal, issuedAt }: Pick<ReadClaims, 'principal' | 'issuedAt'>): Promise<void> {
    if (this.clock.monotonic() - this.readAt > this.staleMs) await this.catchUp();
    if (this.list.revokes({ ...principal, issuedAt })) throw new InvalidToken('revoked');
  }

  private async catchUp(): Promise<void> {
    try {
      await within(this.refresh(), CATCH_UP_MS, 'reading the revocations');
    } catch (cause) {
      throw new Unavailable('Whether this token was revoked cannot be looked up at the moment. Repeat the request shortly.', { cause });
    }
  }

  private async read(): Promise<void> {
    const startedAt = this.clock.monotonic();
    const now = await this.store.now();
    const since = now < this.readUpTo ? 0 : Math.max(0, this.readUpTo - OVERLAP_MS);
    for await (const page of this.store.changesSince(since)) {
      for (const changed of page) this.list.apply(changed);
    }
    this.list.forgetExpired(now);
    this.readUpTo = now;
    this.readAt = startedAt;
  }
}

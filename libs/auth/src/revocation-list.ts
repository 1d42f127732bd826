/**
 * The revocations in force, arranged so that asking about a token is three look-ups, however many there are. A token id is
 * revoked for good; of a subject or a whole tenant, what was issued before a moment is revoked, and the latest moment counts.
 */

export type RevocationKind = 'id' | 'subject' | 'tenant';
export const REVOCATION_KINDS: readonly RevocationKind[] = ['id', 'subject', 'tenant'];

export interface ListedRevocation {
  readonly id: string;
  readonly tenant: string;
  readonly kind: RevocationKind;
  /** The `jti` or the `sub`; empty for a whole tenant. */
  readonly value: string;
  /** Tokens with an `iat` before this are refused, in ms since the epoch; 0 for a token id. */
  readonly notBefore: number;
  /** When every token that it could concern is dead anyway, in ms since the epoch. */
  readonly expiresAt: number;
  /** Taken back again: the entry is only told so that it is forgotten. */
  readonly lifted: boolean;
}

export interface JudgedToken {
  readonly tenant: string;
  readonly subject: string;
  readonly tokenId: string | null;
  /** In ms since the epoch. */
  readonly issuedAt: number;
}

export class RevocationList {
  private readonly entries = new Map<string, ListedRevocation>();
  /** What is revoked → id of the revocation → the moment before which tokens are refused. */
  private readonly moments = new Map<string, Map<string, number>>();

  get size(): number {
    return this.entries.size;
  }

  apply(changed: ListedRevocation): void {
    if (changed.lifted) {
      this.forget(changed.id);
      return;
    }
    const name = nameOf(changed.kind, changed.tenant, changed.value);
    const moments = this.moments.get(name) ?? new Map<string, number>();
    moments.set(changed.id, changed.kind === 'id' ? Number.POSITIVE_INFINITY : changed.notBefore);
    this.moments.set(name, moments);
    this.entries.set(changed.id, changed);
  }

  /** `now` in ms since the epoch, by the clock that the entries were written by. */
  forgetExpired(now: number): void {
    for (const { id, expiresAt } of this.entries.values()) {
      if (expiresAt <= now) this.forget(id);
    }
  }

  revokes({ tenant, subject, tokenId, issuedAt }: JudgedToken): boolean {
    const isBefore = (name: string): boolean => {
      const moments = this.moments.get(name);
      return moments !== undefined && [...moments.values()].some((moment) => issuedAt < moment);
    };
    if (this.moments.size === 0) return false;
    return (
      isBefore(nameOf('tenant', tenant, '')) ||
      isBefore(nameOf('subject', tenant, subject)) ||
      (tokenId !== null && isBefore(nameOf('id', tenant, tokenId)))
    );
  }

  private forget(id: string): void {
    const entry = this.entries.get(id);
    if (entry === undefined) return;
    this.entries.delete(id);
    const name = nameOf(entry.kind, entry.tenant, entry.value);
    const moments = this.moments.get(name);
    moments?.delete(id);
    if (moments?.size === 0) this.moments.delete(name);
  }
}

/** No kind and no tenant has a space in it, so no two things share a name. */
function nameOf(kind: RevocationKind, tenant: string, value: string): string {
  return `${kind} ${tenant} ${value}`;
}

/**
 * Ids of rows: UUIDv7 (RFC 9562 §5.7), so that rows arrive in key order and an id tells its age. Within one process they are
 * strictly increasing even inside a millisecond and when the wall clock steps back; across processes they are unique by
 * 62 random bits. An id is an address, never a permission.
 */
import { randomFillSync } from 'node:crypto';
import type { Clock } from '@app/lifecycle';

const COUNTER_MAX = 0xfff;
const POOL_BYTES = 4_096;
const RANDOM_BYTES = 8;

export class RowIds {
  private ms = 0;
  private counter = 0;
  private readonly pool = Buffer.alloc(POOL_BYTES);
  private poolAt = POOL_BYTES;

  constructor(private readonly clock: Clock) {}

  /** 16 bytes, greater than every id this instance made before. */
  next(): Buffer {
    const now = this.clock.now();
    if (now > this.ms) {
      this.ms = now;
      this.counter = 0;
    } else if (this.counter < COUNTER_MAX) {
      this.counter += 1;
    } else {
      this.ms += 1;
      this.counter = 0;
    }
    const id = Buffer.allocUnsafe(16);
    id.writeUIntBE(this.ms, 0, 6);
    id.writeUInt16BE(0x7000 | this.counter, 6);
    this.randomInto(id);
    id[8] = ((id[8] ?? 0) & 0x3f) | 0x80;
    return id;
  }

  private randomInto(id: Buffer): void {
    if (this.poolAt + RANDOM_BYTES > POOL_BYTES) {
      randomFillSync(this.pool);
      this.poolAt = 0;
    }
    this.pool.copy(id, 8, this.poolAt, this.poolAt + RANDOM_BYTES);
    this.poolAt += RANDOM_BYTES;
  }
}

const TEXT = /^[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}$/i;

export function idText(id: Buffer): string {
  const hex = id.toString('hex');
  return `${hex.slice(0, 8)}-${hex.slice(8, 12)}-${hex.slice(12, 16)}-${hex.slice(16, 20)}-${hex.slice(20)}`;
}

/** The bytes of a UUID in text form, or null where it is none. */
export function idBytes(text: string): Buffer | null {
  return TEXT.test(text) ? Buffer.from(text.replaceAll('-', ''), 'hex') : null;
}

/** The smallest id that could have been made at `ms`. */
export function idFloor(ms: number): Buffer {
  const id = Buffer.alloc(16);
  id.writeUIntBE(Math.max(0, Math.floor(ms)), 0, 6);
  return id;
}

/** No id is above it. */
export const ID_MAX: Buffer = Buffer.alloc(16, 0xff);

/** The id nobody has; a row that names nobody carries it. */
export const NOBODY: Buffer = Buffer.alloc(16);

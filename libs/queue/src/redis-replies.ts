/** Reads the shapes that stream commands answer with. Whatever does not look like one of our messages is dropped, not trusted. */
import type { Delivery } from './doorbell.js';
import type { Lane } from './lanes.js';

const ID_BYTES = 16;
/** Ids per entry: enough to make a burst cheap (measured: −15 µs per task against one), few enough to spread over workers. */
export const IDS_PER_ENTRY = 16;

/** What a Redis delivery is finished with. */
export interface StreamReceipt {
  entryId: string;
}

/** An entry whose fields are not ours: it is finished without a claim. */
export interface StreamEntry {
  entryId: string;
  tenant: string;
  ids: Buffer[];
}

/** `[[id, [field, value, …]], …]`; an entry deleted meanwhile has no fields (before Redis 7). */
export function entriesOf(reply: unknown): StreamEntry[] {
  if (!Array.isArray(reply)) return [];
  return reply.filter(Array.isArray).map((entry: unknown[]) => {
    const fields = Array.isArray(entry[1]) ? (entry[1] as Buffer[]) : [];
    let tenant = '';
    let packed = Buffer.alloc(0);
    for (let index = 0; index + 1 < fields.length; index += 2) {
      const name = String(fields[index]);
      if (name === 't') tenant = String(fields[index + 1]);
      if (name === 'i') packed = fields[index + 1] as Buffer<ArrayBuffer>;
    }
    return { entryId: String(entry[0]), tenant, ids: unpack(packed) };
  });
}

/** The entries out of an XREADGROUP reply. `now` is the server's clock, in ms, or null where it is not known. */
export function deliveriesOf(reply: unknown, queue: string, now: number | null, laneOfKey: (key: string) => Lane | undefined): Delivery[] {
  if (!Array.isArray(reply)) return [];
  return reply.filter(Array.isArray).flatMap((stream: unknown[]) => {
    const lane = laneOfKey(String(stream[0]));
    if (lane === undefined) return [];
    return entriesOf(stream[1]).map(({ entryId, tenant, ids }) => ({
      tenant,
      queue,
      lane,
      ids,
      waitedMs: now === null ? 0 : Math.max(0, now - (entryTime(entryId) ?? now)),
      receipt: { entryId } satisfies StreamReceipt,
    }));
  });
}

export function unpack(packed: Buffer): Buffer[] {
  if (packed.length % ID_BYTES !== 0) return [];
  const ids: Buffer[] = [];
  for (let at = 0; at < packed.length; at += ID_BYTES) ids.push(packed.subarray(at, at + ID_BYTES));
  return ids;
}

/** XINFO answers with name, value, name, value. */
export function fieldsOf(reply: unknown): Map<string, string> {
  const fields = new Map<string, string>();
  if (!Array.isArray(reply)) return fields;
  for (let index = 0; index + 1 < reply.length; index += 2) fields.set(String(reply[index]), String(reply[index + 1]));
  return fields;
}

/** The ms part of an entry id, or null for `0-0`. */
export function entryTime(entryId: string | undefined): number | null {
  const ms = Number((entryId ?? '0-0').split('-')[0]);
  return Number.isFinite(ms) && ms > 0 ? ms : null;
}

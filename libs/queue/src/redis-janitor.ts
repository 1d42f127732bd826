/**
 * Clears the door of what nobody will finish: messages of readers that are gone, the readers themselves, entries that are
 * pending with nobody, and counts of messages that no longer exist. Whatever it drops was only a hint.
 */
import { failpoint } from '@app/lifecycle';
import type { Finished } from './doorbell.js';
import { GROUP, type Keys } from './keys.js';
import { LANES, type Lane } from './lanes.js';
import type { RedisConnection } from './redis-connection.js';
import { entriesOf, fieldsOf, type StreamReceipt } from './redis-replies.js';

const CLAIM_PAGE = 100;
const CLAIM_PAGES_MAX = 1_000;
const JANITOR = 'janitor';
/** A reader that has not asked for this long and holds nothing is gone, in ms. Readers ask every few seconds. */
const READER_GONE_MS = 60_000;

/** The group's fields; null where the stream or the group is missing, or something else stands in the stream's place. */
export async function groupOf(connection: RedisConnection, stream: string): Promise<Map<string, string> | null> {
  try {
    const groups = (await connection.call('XINFO', 'GROUPS', stream)) as unknown[];
    return groups.map(fieldsOf).find((fields) => fields.get('name') === GROUP) ?? null;
  } catch (error) {
    if (isMissing(error)) return null;
    throw error;
  }
}

/** How many entries a stream holds; none where something else stands in its place. */
export async function lengthOf(connection: RedisConnection, stream: string): Promise<number> {
  try {
    return await connection.xlen(stream);
  } catch (error) {
    if (isMissing(error)) return 0;
    throw error;
  }
}

function isMissing(error: unknown): boolean {
  return /no such key|WRONGTYPE/.test(String(error));
}

export class RedisJanitor {
  constructor(
    private readonly connection: RedisConnection,
    private readonly keys: Keys,
    private readonly finish: (deliveries: readonly Finished[]) => Promise<void>,
  ) {}

  /** Throws where Redis is away or takes no writes. */
  async tidy(queue: string, idleMs: number): Promise<void> {
    for (const lane of LANES) {
      const stream = this.keys.stream(queue, lane);
      const group = await groupOf(this.connection, stream);
      if (group !== null) {
        await this.dropAbandoned(queue, lane, idleMs);
        await this.dropReaders(stream);
        await this.dropDelivered(stream, group.get('last-delivered-id'));
      }
      if ((await lengthOf(this.connection, stream)) === 0) await this.connection.del(this.keys.outstanding(queue, lane));
    }
  }

  /** Entries a reader took and never finished. Their tasks are the reconciler's business; the entries are only in the way. */
  private async dropAbandoned(queue: string, lane: Lane, idleMs: number): Promise<void> {
    const stream = this.keys.stream(queue, lane);
    let cursor = '0-0';
    for (let page = 0; page < CLAIM_PAGES_MAX; page += 1) {
      const reply = (await this.connection.callBuffer(
        'XAUTOCLAIM',
        stream,
        GROUP,
        JANITOR,
        String(idleMs),
        cursor,
        'COUNT',
        String(CLAIM_PAGE),
      )) as unknown[];
      const entries = entriesOf(reply[1]);
      if (entries.length > 0) {
        failpoint('tidy.claimed');
        await this.finish(
          entries.map(({ entryId, tenant, ids }) => ({ tenant, queue, lane, ids, receipt: { entryId } satisfies StreamReceipt })),
        );
      }
      cursor = String(reply[0]);
      if (cursor === '0-0') return;
    }
  }

  private async dropReaders(stream: string): Promise<void> {
    const consumers = (await this.connection.call('XINFO', 'CONSUMERS', stream, GROUP)) as unknown[];
    for (const consumer of consumers.map(fieldsOf)) {
      const gone = Number(consumer.get('idle')) > READER_GONE_MS && Number(consumer.get('pending')) === 0;
      if (gone) await this.connection.call('XGROUP', 'DELCONSUMER', stream, GROUP, consumer.get('name') ?? '');
    }
  }

  /** Entries that were delivered and are pending with nobody (their reader was deleted in between) would stay for ever. */
  private async dropDelivered(stream: string, lastDelivered: string | undefined): Promise<void> {
    const [count] = (await this.connection.call('XPENDING', stream, GROUP)) as [number];
    if (Number(count) > 0 || lastDelivered === undefined || lastDelivered === '0-0') return;
    const [ms, sequence] = lastDelivered.split('-');
    await this.connection.call('XTRIM', stream, 'MINID', `${ms}-${Number(sequence) + 1}`);
  }
}

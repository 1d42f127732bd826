/**
 * Compares what the program may send in one statement with what the server takes. A server that takes less closes the connection in the
 * middle of a request, which looks like an outage and is one that no repeat ends; so it is found out when the process starts.
 */
import { InvalidConfiguration } from '@app/errors';

const MIB = 1_048_576;
/** The largest group of tasks or outcomes is cut at 4 Mi characters, which may be three bytes each. */
const GROUP_BYTES = 12 * MIB;
/** Everything in a statement that is not its values. */
const FRAME_BYTES = 64 * 1_024;

/** @param largestValueBytes largest payload, result or checkpoint; each character may have to be escaped with another */
export function packetBytesNeeded(largestValueBytes: number): number {
  return Math.max(GROUP_BYTES, 2 * largestValueBytes) + FRAME_BYTES;
}

/** @throws InvalidConfiguration */
export function assertPacketFits(maxAllowedPacket: number, needed: number): void {
  if (maxAllowedPacket >= needed) return;
  throw new InvalidConfiguration([
    `DATABASE_URL: the server takes ${maxAllowedPacket} bytes at once (max_allowed_packet), and a statement may need ${needed}: raise it, ` +
      'or lower PAYLOAD_MAX_BYTES, RESULT_MAX_BYTES and CHECKPOINT_MAX_BYTES if it is they that need more than 12 MiB.',
  ]);
}

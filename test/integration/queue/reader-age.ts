/**
 * Makes the readers of a stream's group look as if they had asked long ago. No command of Redis does that, so the stream is
 * dumped, the time behind each name is set back, and it is restored with the checksum of the new bytes.
 */
import type { Redis } from 'ioredis';

const VERSION_BYTES = 2;
const CHECKSUM_BYTES = 8;
/** CRC-64 of Jones, reflected, as Redis counts it. */
const POLYNOMIAL = 0x95ac9329ac4bc9b5n;

export async function ageReaders(redis: Redis, stream: string, names: readonly string[], byMs: number): Promise<void> {
  const dumped = await redis.dumpBuffer(stream);
  const body = Buffer.from(dumped.subarray(0, -CHECKSUM_BYTES));
  for (const name of names) {
    const marked = Buffer.concat([Buffer.from([name.length]), Buffer.from(name)]);
    const at = body.lastIndexOf(marked, body.length - VERSION_BYTES);
    if (at === -1) throw new Error(`the stream knows no reader ${name}`);
    const seenAt = at + marked.length;
    body.writeBigUInt64LE(body.readBigUInt64LE(seenAt) - BigInt(byMs), seenAt);
  }
  const checksum = Buffer.alloc(CHECKSUM_BYTES);
  checksum.writeBigUInt64LE(crc64(body));
  await redis.restore(stream, 0, Buffer.concat([body, checksum]), 'REPLACE');
}

function crc64(bytes: Buffer): bigint {
  let crc = 0n;
  for (const byte of bytes) {
    crc ^= BigInt(byte);
    for (let bit = 0; bit < 8; bit += 1) crc = (crc & 1n) === 1n ? (crc >> 1n) ^ POLYNOMIAL : crc >> 1n;
  }
  return crc;
}

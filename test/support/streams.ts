/** What is left in the Redis streams of one installation: entries, and deliveries that nobody has finished. */
import { Redis } from 'ioredis';

export async function leftInStreams(url: string, prefix: string): Promise<number> {
  const redis = new Redis(url, { maxRetriesPerRequest: 1 });
  try {
    let left = 0;
    for (const key of await redis.keys(`${prefix}:*`)) {
      if ((await redis.type(key)) !== 'stream') continue;
      left += await redis.xlen(key);
      const [pending] = (await redis.xpending(key, 'workers')) as [number];
      left += Number(pending);
    }
    return left;
  } finally {
    redis.disconnect();
  }
}

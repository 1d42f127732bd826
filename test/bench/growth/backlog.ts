/** What a backlog costs Redis: bytes per waiting task, of ours and of BullMQ, whose jobs are all there. */
import { Redis } from 'ioredis';
import { startLocalRedis } from '../../support/servers/local-redis.js';
import type { Load } from '../site.js';
import { PeerSite } from '../peer-site.js';
import { installPeers, PEERS } from '../peers.js';
import { withInstallation, type Ground } from './curves.js';

const TASKS = 20_000;
const BACKLOG: Load = { firstNumber: 1, tasks: TASKS, tasksPerRequest: 200, connections: 4, requestsPerSecond: null };

export function ofProduct({ backend }: Pick<Ground, 'backend'>): Promise<number> {
  return withInstallation({ backend }, { load: null }, async (installation) => {
    await installation.stopWorking();
    const { redis } = installation.addresses;
    const before = await usedBytes(redis);
    await installation.submit(BACKLOG);
    return ((await usedBytes(redis)) - before) / TASKS;
  });
}

/** Rejects where BullMQ or a Redis of its own cannot be had. */
export async function ofBullMq(): Promise<number> {
  installPeers(() => undefined);
  const server = await startLocalRedis();
  try {
    const peer = PEERS.find(({ name }) => name === 'bullmq')!;
    const settings = { concurrency: 50, notify: false, node: process.execPath };
    const site = await PeerSite.start(peer, { url: server.url, pid: null }, settings);
    try {
      await site.stopWorking();
      const before = await usedBytes(server.url);
      await site.submit(BACKLOG);
      return ((await usedBytes(server.url)) - before) / TASKS;
    } finally {
      await site.close();
    }
  } finally {
    await server.remove();
  }
}

async function usedBytes(url: string): Promise<number> {
  const redis = new Redis(url);
  try {
    return Number(/used_memory:(\d+)/.exec(await redis.info('memory'))?.[1] ?? Number.NaN);
  } finally {
    redis.disconnect();
  }
}

/**
 * Connections to Redis or Redis Cluster that fail fast. A command is never kept for a server that may come back: whoever rings
 * has the database as its net, and a command that waits in memory is a buffer without a bound.
 */
import { Cluster, Redis, type RedisOptions } from 'ioredis';
import { isDemoted } from './redis-outage.js';

export type RedisConnection = Redis | Cluster;

export interface RedisSettings {
  /** One URL, or several nodes of a cluster. */
  urls: readonly string[];
  connectTimeoutMs: number;
  commandTimeoutMs: number;
  /** How a server behind rediss:// is verified. Its certificate is always; these say against what. */
  tls?: RedisTls;
  /** Told about every connection error; must not throw. */
  onError: (error: Error) => void;
}

export interface RedisTls {
  /** PEM; null for the authorities that Node.js knows. */
  readonly ca: string | null;
  /** The name in the certificate, where it is not the host of the URL. */
  readonly servername: string | null;
}

const RECONNECT_MS_MAX = 2_000;

function optionsFor(url: URL, settings: RedisSettings, blocking: boolean): RedisOptions {
  return {
    host: url.hostname.replace(/^\[|\]$/g, ''),
    port: url.port === '' ? 6379 : Number(url.port),
    ...(url.username === '' ? {} : { username: decodeURIComponent(url.username) }),
    ...(url.password === '' ? {} : { password: decodeURIComponent(url.password) }),
    ...(url.protocol === 'rediss:' ? { tls: verified(settings.tls) } : {}),
    connectTimeout: settings.connectTimeoutMs,
    // A blocking read has its own deadline; a command timeout would end it early.
    ...(blocking ? {} : { commandTimeout: settings.commandTimeoutMs }),
    // After a failover the same name may lead to another server; a reader throws its connection away in any case.
    ...(blocking ? {} : { reconnectOnError: isDemoted }),
    enableOfflineQueue: false,
    autoResendUnfulfilledCommands: false,
    maxRetriesPerRequest: 1,
    retryStrategy: blocking ? () => null : (times: number) => Math.min(RECONNECT_MS_MAX, 50 * 2 ** Math.min(times, 10)),
  };
}

function verified(tls: RedisTls | undefined): NonNullable<RedisOptions['tls']> {
  return {
    rejectUnauthorized: true,
    minVersion: 'TLSv1.2',
    ...(tls === undefined || tls.ca === null ? {} : { ca: tls.ca }),
    ...(tls === undefined || tls.servername === null ? {} : { servername: tls.servername }),
  };
}

/**
 * Opens a connection. A blocking one is used by a single reader and does not reconnect by itself: after any error the reader
 * throws it away, because a blocking read that lives through a reconnect may never settle.
 */
export function connect(settings: RedisSettings, blocking = false): RedisConnection {
  const urls = settings.urls.map((url) => new URL(url));
  const [first] = urls;
  if (first === undefined) throw new RangeError('Redis needs at least one URL');
  const options = optionsFor(first, settings, blocking);
  const database = Number(first.pathname.slice(1) || '0');
  const connection =
    urls.length === 1
      ? new Redis({ ...options, db: database })
      : new Cluster(
          urls.map((url) => ({ host: url.hostname, port: url.port === '' ? 6379 : Number(url.port) })),
          {
            redisOptions: options,
            enableOfflineQueue: false,
            clusterRetryStrategy: blocking ? () => null : (times) => Math.min(RECONNECT_MS_MAX, times * 100),
          },
        );
  connection.on('error', settings.onError);
  return connection;
}

/** Resolves when the connection can take commands; rejects on its first error or after `ms`. */
export async function ready(connection: RedisConnection, ms: number): Promise<void> {
  if (connection.status === 'ready') return;
  await new Promise<void>((resolve, reject) => {
    const settle = (error?: Error): void => {
      clearTimeout(timer);
      connection.off('ready', onReady);
      connection.off('close', onClose);
      connection.off('end', onClose);
      if (error === undefined) resolve();
      else reject(error);
    };
    const onReady = (): void => {
      settle();
    };
    const onClose = (): void => {
      settle(new Error('the Redis connection closed before it was ready'));
    };
    const timer = setTimeout(() => {
      settle(new Error(`Redis was not ready within ${ms} ms`));
    }, ms);
    connection.once('ready', onReady);
    connection.once('close', onClose);
    // A connection that is given up before it has a socket has nothing to close.
    connection.once('end', onClose);
  });
}

/**
 * The addresses of the database and of Redis. They carry credentials, so they are secrets: no problem repeats any part of
 * them. What follows a `?` is refused rather than ignored, because drivers read options from there that would silently
 * undo settings made here (TLS, several statements per query, timeouts).
 */
import { about, type About, type Reading, type Setting } from './setting.js';

const ENCODE = 'A character such as @ : / # or ? in the user name or password must be percent-encoded.';

export type DatabaseAddress =
  | { readonly family: 'sqlite'; readonly path: string }
  | {
      readonly family: 'mysql';
      readonly host: string;
      readonly port: number;
      readonly user: string;
      readonly password: string;
      readonly database: string;
    };

/** Takes `DATABASE_URL` apart. */
export function readDatabaseAddress(raw: string): Reading<DatabaseAddress> {
  return raw.startsWith('sqlite:') ? readSqlite(raw.slice('sqlite:'.length)) : readMysql(raw);
}

function readSqlite(path: string): Reading<DatabaseAddress> {
  if (path === '' || path.startsWith('//') || path.includes('\0')) {
    return { problem: 'must name a file after sqlite:, such as sqlite:data/taskrunnerx.db or sqlite:/var/lib/taskrunnerx.db.' };
  }
  if (path.startsWith(':') || path.startsWith('file:')) {
    return { problem: 'must name a plain file after sqlite:; a database in memory would lose accepted tasks.' };
  }
  return { value: { family: 'sqlite', path } };
}

function readMysql(raw: string): Reading<DatabaseAddress> {
  const url = parseUrl(raw);
  if (url === null || (url.protocol !== 'mysql:' && url.protocol !== 'mariadb:') || url.hostname === '') {
    return { problem: `must be mysql://USER:PASSWORD@HOST:PORT/DATABASE (or mariadb://), or sqlite:PATH. ${ENCODE}` };
  }
  if (url.search !== '' || url.hash !== '') {
    return { problem: `must end with the name of the database, without ? or #. Use DATABASE_TLS=verify for TLS. ${ENCODE}` };
  }
  const database = decode(url.pathname.slice(1));
  if (database === null || !/^[^/\\.\s]{1,64}$/.test(database)) {
    return { problem: 'must end with the name of one database: mysql://USER:PASSWORD@HOST:PORT/DATABASE.' };
  }
  const user = decode(url.username);
  const password = decode(url.password);
  if (user === null || password === null) return { problem: `has a user name or password that cannot be read. ${ENCODE}` };
  const host = url.hostname.replace(/^\[(.*)\]$/, '$1');
  return { value: { family: 'mysql', host, port: url.port === '' ? 3306 : Number(url.port), user, password, database } };
}

/** The addresses of `REDIS_URL`: one server, or the first nodes of a cluster. */
export function readRedisUrls(raw: string): Reading<readonly string[]> {
  const form = `must be redis://HOST:PORT (rediss:// for TLS), or a comma-separated list of those for Redis Cluster`;
  const parts = raw.split(',');
  if (parts.length > 64) return { problem: 'must list at most 64 nodes; a few are enough, the rest is discovered.' };
  for (const part of parts) {
    const url = parseUrl(part);
    const scheme = url?.protocol === 'redis:' || url?.protocol === 'rediss:';
    if (url === null || !scheme || url.hostname === '' || /\s/.test(part)) return { problem: `${form}. ${ENCODE}` };
    if (url.search !== '' || url.hash !== '') return { problem: `${form}, without ? or #. ${ENCODE}` };
    if (decode(url.username) === null || decode(url.password) === null) return { problem: `${form}. ${ENCODE}` };
    if (!/^\/?(\d{1,4})?$/.test(url.pathname)) return { problem: `${form}; only the number of a database may follow the host.` };
    if (parts.length > 1 && !/^\/?0?$/.test(url.pathname)) {
      return { problem: 'must not name a database in a list of nodes: Redis Cluster has only database 0.' };
    }
  }
  if (new Set(parts.map((part) => part.startsWith('rediss:'))).size > 1) {
    return { problem: 'must use either redis:// or rediss:// for all nodes of the list.' };
  }
  return { value: Object.freeze(parts) };
}

export function databaseUrl(options: About & { fallback: string }): Setting<string> {
  return {
    ...about(options),
    fallback: options.fallback,
    shownDefault: `\`${options.fallback}\``,
    accepts: '`mysql://USER:PASSWORD@HOST:PORT/DATABASE` (or `mariadb://`), `sqlite:PATH`',
    read: (raw) => {
      const reading = readDatabaseAddress(raw);
      return 'problem' in reading ? reading : { value: raw };
    },
  };
}

export function redisUrls(options: About): Setting<readonly string[]> {
  return {
    ...about(options),
    fallback: Object.freeze([]),
    shownDefault: 'unset',
    accepts: '`redis://HOST:PORT`, `rediss://…`, or a comma-separated list (Redis Cluster)',
    read: readRedisUrls,
  };
}

function parseUrl(raw: string): URL | null {
  return URL.canParse(raw) ? new URL(raw) : null;
}

function decode(part: string): string | null {
  try {
    return decodeURIComponent(part);
  } catch {
    return null;
  }
}

/** The rules that tie the settings of the transport to each other. */
import { isIP } from 'node:net';
import { isLoopback } from './loopback.js';
import { usesSqlite, type Rule } from './rule.js';
import type { SettingValues } from './settings.js';

/** The variables whose passwords would cross a network as plain text. */
export function plainCredentials(values: Pick<SettingValues, 'databaseUrl' | 'databaseTls' | 'redisUrls'>): string[] {
  const sendsPassword = (address: string): boolean => {
    const { password, hostname } = new URL(address);
    return password !== '' && !isLoopback(hostname);
  };
  const database = !usesSqlite(values) && values.databaseTls === 'off' && sendsPassword(values.databaseUrl);
  const redis = values.redisUrls.some((url) => url.startsWith('redis:') && sendsPassword(url));
  return [...(database ? ['DATABASE_URL'] : []), ...(redis ? ['REDIS_URL'] : [])];
}

function isTlsRedis({ redisUrls }: SettingValues): boolean {
  return redisUrls.some((url) => url.startsWith('rediss:'));
}

export const TRANSPORT_RULES: readonly Rule[] = [
  {
    needs: ['httpBodyTimeoutMs', 'httpHeadersTimeoutMs', 'httpRequestTimeoutMs'],
    problem: (values) =>
      Math.max(values.httpBodyTimeoutMs, values.httpHeadersTimeoutMs) >= values.httpRequestTimeoutMs
        ? 'HTTP_REQUEST_TIMEOUT_MS must be above HTTP_HEADERS_TIMEOUT_MS and HTTP_BODY_TIMEOUT_MS, or the connection is cut before a slow client is answered.'
        : null,
  },
  {
    needs: ['httpTimeoutCheckMs', 'httpHeadersTimeoutMs'],
    problem: (values) =>
      values.httpTimeoutCheckMs > values.httpHeadersTimeoutMs
        ? 'HTTP_TIMEOUT_CHECK_MS must not be greater than HTTP_HEADERS_TIMEOUT_MS, or a slow client is noticed long after its time.'
        : null,
  },
  {
    needs: ['databaseUrl', 'databaseTls', 'databaseTlsCaFile', 'databaseTlsServername'],
    problem: (values) =>
      (values.databaseTlsCaFile !== null || values.databaseTlsServername !== null) && (values.databaseTls === 'off' || usesSqlite(values))
        ? 'DATABASE_TLS_CA_FILE and DATABASE_TLS_SERVERNAME have no effect without DATABASE_TLS=verify and a mysql:// address: set those, or remove them.'
        : null,
  },
  {
    needs: ['databaseUrl', 'databaseTls'],
    problem: (values) =>
      values.databaseTls === 'verify' && usesSqlite(values)
        ? 'DATABASE_TLS=verify needs a server: DATABASE_URL is a SQLite file (the default).'
        : null,
  },
  {
    needs: ['databaseUrl', 'databaseTls', 'databaseTlsServername'],
    problem: (values) =>
      values.databaseTls === 'verify' &&
      !usesSqlite(values) &&
      values.databaseTlsServername === null &&
      isIP(new URL(values.databaseUrl).hostname.replace(/^\[(.*)\]$/, '$1')) !== 0
        ? 'DATABASE_TLS_SERVERNAME must be set where DATABASE_URL has the number of a host: it is the name in the certificate that is verified.'
        : null,
  },
  {
    needs: ['redisUrls', 'redisTlsCaFile', 'redisTlsServername'],
    problem: (values) =>
      (values.redisTlsCaFile !== null || values.redisTlsServername !== null) && !isTlsRedis(values)
        ? 'REDIS_TLS_CA_FILE and REDIS_TLS_SERVERNAME have no effect without a rediss:// address in REDIS_URL: write one, or remove them.'
        : null,
  },
  {
    needs: ['plainConnections', 'databaseUrl', 'databaseTls', 'redisUrls'],
    problem: (values) =>
      values.plainConnections === 'refuse' && plainCredentials(values).length > 0
        ? `${plainCredentials(values).join(' and ')} would send a password to another machine without TLS, and PLAIN_CONNECTIONS is refuse: use DATABASE_TLS=verify and rediss://.`
        : null,
  },
];

import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, describe, expect, it } from '@jest/globals';
import { InvalidConfiguration } from '@app/errors';
import { loadConfig, type Environment } from './load.js';
import { plainCredentials } from './transport-rules.js';

const FAR = {
  DATABASE_URL: 'mysql://user:hunter2@db.example/tasks',
  REDIS_URL: 'redis://:hunter2@redis.example',
  AUTH_JWT_SECRET: 's'.repeat(32),
};
const directory = mkdtempSync(join(tmpdir(), 'taskrunnerx-config-'));
afterAll(() => {
  rmSync(directory, { recursive: true });
});

function file(name: string, text: string): string {
  writeFileSync(join(directory, name), text);
  return join(directory, name);
}

function problemsOf(environment: Environment): string {
  try {
    loadConfig(environment);
  } catch (error) {
    if (error instanceof InvalidConfiguration) return error.message;
    throw error;
  }
  return '';
}

describe('the settings of the transport', () => {
  it.each<[Environment, string]>([
    [{ HTTP_HEADERS_TIMEOUT_MS: '999' }, 'HTTP_HEADERS_TIMEOUT_MS must be'],
    [{ HTTP_REQUEST_TIMEOUT_MS: '30000' }, 'HTTP_REQUEST_TIMEOUT_MS must be above HTTP_HEADERS_TIMEOUT_MS and HTTP_BODY_TIMEOUT_MS'],
    [{ HTTP_HEADERS_TIMEOUT_MS: '60000' }, 'HTTP_REQUEST_TIMEOUT_MS must be above'],
    [{ HTTP_TIMEOUT_CHECK_MS: '30000' }, 'HTTP_TIMEOUT_CHECK_MS must not be greater than HTTP_HEADERS_TIMEOUT_MS'],
    [{ HTTP_STALLED_TIMEOUT_MS: '60000' }, 'HTTP_STALLED_TIMEOUT_MS must be'],
    [{ HTTP_MAX_HEADER_BYTES: '65537' }, 'HTTP_MAX_HEADER_BYTES must be'],
    [{ HTTP_MAX_HEADERS: '0' }, 'HTTP_MAX_HEADERS must be'],
    [{ HTTP_MAX_CONNECTIONS: '0' }, 'HTTP_MAX_CONNECTIONS must be'],
    [{ HSTS_SECONDS: '-1' }, 'HSTS_SECONDS must be'],
    [{ API_DOCS: 'public' }, 'API_DOCS must be one of auto, on, off.'],
    ...['*', 'null', 'https://*.example', 'https://a.example/', 'https://a.example/x', 'http://a.example', 'https://A.example'].map(
      (origin): [Environment, string] => [{ CORS_ORIGINS: origin }, 'CORS_ORIGINS must be a comma-separated list of origins'],
    ),
    ...['https://a.example:443', 'a.example', 'https://u@a.example', 'file:///x', 'https://a.example, https://b.example'].map(
      (origin): [Environment, string] => [{ CORS_ORIGINS: origin }, 'CORS_ORIGINS must be a comma-separated list of origins'],
    ),
    [{ CORS_ORIGINS: 'https://a.example,https://a.example' }, 'CORS_ORIGINS must name every origin once'],
    [{ DATABASE_TLS: 'verify' }, 'DATABASE_TLS=verify needs a server'],
    [{ ...FAR, DATABASE_TLS_SERVERNAME: 'db' }, 'DATABASE_TLS_CA_FILE and DATABASE_TLS_SERVERNAME have no effect'],
    [{ ...FAR, DATABASE_TLS: 'verify', DATABASE_URL: 'mysql://u@10.0.0.1/d' }, 'DATABASE_TLS_SERVERNAME must be set'],
    [{ ...FAR, DATABASE_TLS: 'verify', DATABASE_URL: 'mysql://u@[fd00::1]/d' }, 'DATABASE_TLS_SERVERNAME must be set'],
    [{ ...FAR, DATABASE_TLS: 'verify', DATABASE_TLS_SERVERNAME: '10.0.0.1' }, 'DATABASE_TLS_SERVERNAME must be a host name'],
    [{ ...FAR, REDIS_TLS_SERVERNAME: 'redis' }, 'REDIS_TLS_CA_FILE and REDIS_TLS_SERVERNAME have no effect'],
    [{ ...FAR, PLAIN_CONNECTIONS: 'refuse' }, 'DATABASE_URL and REDIS_URL would send a password to another machine without TLS'],
    [{ ...FAR, PLAIN_CONNECTIONS: 'refuse', DATABASE_TLS: 'verify' }, 'REDIS_URL would send a password'],
  ])('%j is refused', (environment, problem) => {
    expect(problemsOf(environment)).toContain(problem);
    expect(problemsOf(environment)).not.toContain('hunter2');
  });

  it.each<[string, Environment]>([
    [
      'exact origins, and plain HTTP for this machine',
      { CORS_ORIGINS: 'https://a.example,https://a.example:8443,http://localhost:5173,http://[::1]:1' },
    ],
    ['passwords over TLS', { ...FAR, PLAIN_CONNECTIONS: 'refuse', DATABASE_TLS: 'verify', REDIS_URL: 'rediss://:p@redis.example' }],
    [
      'passwords to this machine',
      { ...FAR, PLAIN_CONNECTIONS: 'refuse', DATABASE_URL: 'mysql://u:p@127.0.0.1/d', REDIS_URL: 'redis://:p@localhost' },
    ],
    [
      'plain addresses without a password',
      { ...FAR, PLAIN_CONNECTIONS: 'refuse', DATABASE_URL: 'mysql://u@db/d', REDIS_URL: 'redis://redis' },
    ],
  ])('accept %s', (_what, environment) => {
    expect(problemsOf(environment)).toBe('');
  });

  it('name the variables whose passwords would go in the open', () => {
    expect(plainCredentials(loadConfig(FAR))).toEqual(['DATABASE_URL', 'REDIS_URL']);
    expect(plainCredentials(loadConfig({}))).toEqual([]);
  });

  it.each<[string, () => string, string]>([
    ['that is not there', () => join(directory, 'none.pem'), 'names a file that cannot be read'],
    ['by a relative path', () => 'ca.pem', 'must be the absolute path'],
    ['that is a folder', () => directory, 'names a file that cannot be read'],
    ['with nothing in it', () => file('empty.pem', 'hunter2'), 'must name a PEM file'],
    [
      'with something else in it',
      () => file('odd.pem', '-----BEGIN CERTIFICATE-----\nYWJj\n-----END CERTIFICATE-----\n'),
      'must name a PEM file',
    ],
    [
      'with a private key in it',
      () => file('key.pem', '-----BEGIN PRIVATE KEY-----\nhunter2\n'),
      'must name a file with certificates only',
    ],
    ['that is too large', () => file('large.pem', 'x'.repeat(1_048_577)), 'names a file that cannot be read, or that has more than 1 MiB'],
  ])('refuse a file of certificates %s, without its path', (_what, path, problem) => {
    const told = problemsOf({ ...FAR, DATABASE_TLS: 'verify', DATABASE_TLS_CA_FILE: path() });
    expect(told).toContain(`DATABASE_TLS_CA_FILE ${problem}`);
    expect(told).not.toMatch(/hunter2|taskrunnerx-config/);
  });
});

/**
 * Prints a token, and nothing else, to standard output: `npm run --silent token`. Works where the shared secret is at hand,
 * as it is on an embedded start; with a public key only, tokens come from whoever holds the private one.
 */
import { randomUUID } from 'node:crypto';
import { parseArgs } from 'node:util';
import { issueToken, SCOPES, scopesGrantedBy, SigningKey, type Scope } from '@app/auth';
import { loadConfig, readEnvironment } from '@app/config';
import { InvalidConfiguration } from '@app/errors';
import { SystemClock } from '@app/lifecycle';

const USAGE =
  'Usage: npm run --silent token -- [--tenant NAME] [--subject NAME] [--scope "tasks:read tasks:write"] [--ttl 90s|30m|12h|24h]';
/** The starter of the programs leaves the name of this one in front of its arguments. */
const STARTED_AS = 'print-token';
const UNIT_MS: Readonly<Record<string, number>> = { s: 1_000, m: 60_000, h: 3_600_000, d: 86_400_000 };
/** Where nothing is said of it; less where less is accepted. */
const TTL_MS = 86_400_000;
const TTL_MAX_MS = 365 * 86_400_000;

async function main(): Promise<string> {
  const { values } = readArguments();
  const scopes = readScopes(values.scope);
  const key = await SigningKey.resolve(loadConfig(readEnvironment()));
  const ttlMs = values.ttl === undefined ? Math.min(TTL_MS, key.rules.lifetimeMaxMs) : readTtl(values.ttl);
  const { tenant, subject } = values;
  return issueToken(key, new SystemClock(), { tenant, subject, scopes, ttlMs, tokenId: randomUUID() });
}

function readArguments() {
  try {
    return parseArgs({
      args: process.argv.slice(2).filter((word, index) => index > 0 || word !== STARTED_AS),
      options: {
        tenant: { type: 'string', default: 'default' },
        subject: { type: 'string', default: 'local' },
        scope: { type: 'string', default: SCOPES.join(' ') },
        ttl: { type: 'string' },
      },
    });
  } catch {
    throw new InvalidConfiguration([USAGE]);
  }
}

function readScopes(text: string): Scope[] {
  const words = text.split(' ').filter((word) => word !== '');
  const granted = words.map(scopesGrantedBy);
  if (granted.length === 0 || granted.some((scopes) => scopes.length === 0)) {
    throw new InvalidConfiguration([`--scope takes one or more of: ${SCOPES.join(' ')}, or RESOURCE:* for all of a resource`]);
  }
  return [...new Set(granted.flat())];
}

function readTtl(text: string): number {
  const parts = /^([1-9]\d{0,6})([smhd])$/.exec(text);
  const ms = Number(parts?.[1] ?? 0) * (UNIT_MS[parts?.[2] ?? ''] ?? 0);
  if (ms <= 0 || ms > TTL_MAX_MS) {
    throw new InvalidConfiguration(['--ttl takes a number and a unit, at most a year: 90s, 30m, 24h or 7d.']);
  }
  return ms;
}

try {
  process.stdout.write(`${await main()}\n`);
} catch (error) {
  if (!(error instanceof InvalidConfiguration)) {
    throw error;
  }
  process.stderr.write(`${error.message}\n`);
  process.exitCode = 1;
}

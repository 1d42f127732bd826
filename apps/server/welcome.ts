/**
 * The first minute of somebody who just typed `npm start`: where the API and its documents are, a line to paste, and the proof
 * that the whole way works. Printed only by an embedded start whose log is not JSON by configuration, because it contains a token.
 */
import { randomUUID } from 'node:crypto';
import type { INestApplication } from '@nestjs/common';
import { issueToken, SCOPES, SigningKey, TokenKeys } from '@app/auth';
import { Config } from '@app/config';
import { Database } from '@app/database';
import { Clock, Drain, pause } from '@app/lifecycle';
import { heartbeatLatency } from '@app/tasks';

const HOUR_MS = 3_600_000;
const TOKEN_MS = 24 * HOUR_MS;
const HEARTBEAT_WAIT_MS = 15_000;
const LOOK_MS = 100;

export async function welcome(app: INestApplication, url: string, print: (line: string) => void): Promise<void> {
  const config = app.get(Config, { strict: false });
  const key = app.get(TokenKeys, { strict: false });
  if (!(key instanceof SigningKey) || !key.canSign) return;
  const ttlMs = Math.min(TOKEN_MS, key.rules.lifetimeMaxMs);
  const token = issueToken(key, app.get(Clock, { strict: false }), {
    tenant: 'default',
    subject: 'local',
    scopes: [...SCOPES],
    ttlMs,
    tokenId: randomUUID(),
  });
  const docs = config.showsDocuments ? `   Docs  ${url}/docs` : '';
  print('');
  print(`  Task Runner X is running.   API  ${url}/api${docs}   Health  ${url}/health`);
  print('');
  print(`  Submit a task and wait for its result (the token is good for ${lifeOf(ttlMs)}; \`npm run --silent token\` makes another):`);
  print('');
  print(`  curl -s -X POST ${url}/api/tasks -H 'Content-Type: application/json' -H 'Prefer: wait=5' \\`);
  print(`    -H 'Authorization: Bearer ${token}' \\`);
  print(`    -d '{"name":"sha256","payload":"hello"}'`);
  print('');
  const latency = await firstHeartbeat(app);
  print(
    latency === null ? '  No heartbeat task has succeeded yet; see the log.' : `  A heartbeat task went the whole way in ${latency} ms.`,
  );
  print('');
}

function lifeOf(ms: number): string {
  return ms >= HOUR_MS ? `${Math.floor(ms / HOUR_MS)} hours` : `${Math.floor(ms / 60_000)} minutes`;
}

async function firstHeartbeat(app: INestApplication): Promise<number | null> {
  const database = app.get(Database, { strict: false });
  const drain = app.get(Drain, { strict: false });
  for (let waited = 0; waited < HEARTBEAT_WAIT_MS && !drain.draining; waited += LOOK_MS) {
    const beat = await heartbeatLatency(database).catch(() => null);
    if (beat !== null) return beat.latencyMs;
    await pause(LOOK_MS, drain.signal);
  }
  return null;
}

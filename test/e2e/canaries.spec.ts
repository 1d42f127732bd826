/**
 * What tenants hand over stays out of the logs, at every level and in every process: payloads, results, errors, progress,
 * checkpoints, headers, queries and bodies, through every outcome that a task or a request can have. Each carries a word that
 * stands nowhere else, and none of them is found in anything that was printed.
 */
import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from '@jest/globals';
import { backends } from '../support/backends.js';
import type { Client } from '../support/client.js';
import { useFleet } from '../support/fleet.js';
import { Installation } from '../support/installation.js';
import { removeDirectory, temporaryDirectory } from '../support/reaper.js';
import { until } from '../support/until.js';

const CANARY = 'c4n4ry';
const canary = (place: string): string => `${CANARY}-${place}`;

/** As a user would write them; each says what it was given wherever a handler may say something. */
const HANDLERS = `
import { setTimeout as pause } from 'node:timers/promises';
const once = { retry: { maxAttempts: 1, backoff: 'fixed', baseMs: 0, jitter: 0 } };
const all = (prefix, more) => [
  { name: prefix + '.returns', ...more, run: (payload) => ({ ...payload }) },
  { name: prefix + '.throws', ...once, ...more, run: (payload) => { throw new Error(payload.word, { cause: new Error(payload.word) }); } },
  { name: prefix + '.retries', retry: { maxAttempts: 3, backoff: 'fixed', baseMs: 10, jitter: 0 }, ...more, run: (payload) => { throw Object.assign(new TypeError(payload.word), { payload }); } },
  { name: prefix + '.gives-up', ...more, run: (payload) => { throw Object.assign(new Error(payload.word), { retryable: false, code: 'hopeless' }); } },
  { name: prefix + '.throws-text', ...once, ...more, run: (payload) => { throw payload.word; } },
  { name: prefix + '.returns-nonsense', ...once, ...more, run: (payload) => ({ [payload.word]: 10n }) },
  { name: prefix + '.returns-too-much', ...once, ...more, run: (payload) => payload.word.repeat(200_000) },
  { name: prefix + '.times-out', ...once, ...more, timeoutMs: 300, run: (payload, ctx) => pause(60_000, payload, { signal: ctx.signal }) },
  { name: prefix + '.waits', ...more, run: (payload, ctx) => pause(60_000, payload, { signal: ctx.signal }) },
  { name: prefix + '.reports', ...more, run: async (payload, ctx) => { await ctx.progress(0.5, payload.word); await ctx.checkpoint({ word: payload.word }); return payload; } },
  { name: prefix + '.leaves-a-promise', ...once, ...more, run: async (payload) => { Promise.reject(new Error(payload.word)); await pause(500); } },
  { name: prefix + '.is-late', ...once, ...more, run: (payload) => { void pause(50).then(() => { throw new Error(payload.word); }); return 'done'; } },
];
export default [...all('plain', {}), ...all('apart', { isolation: 'thread' })];
`;

const ENDS: Readonly<Record<string, string>> = {
  returns: 'succeeded',
  throws: 'failed',
  retries: 'failed',
  'gives-up': 'failed',
  'throws-text': 'failed',
  'returns-nonsense': 'failed',
  'returns-too-much': 'failed',
  'times-out': 'failed',
  reports: 'succeeded',
  'leaves-a-promise': 'failed',
  'is-late': 'succeeded',
};

describe.each(backends())('what tenants hand over, on $name', (backend) => {
  const fleet = useFleet();
  const directory = temporaryDirectory('canaries');
  let installation: Installation;
  let client: Client;

  beforeAll(async () => {
    writeFileSync(join(directory, 'canaries.mjs'), HANDLERS);
    const env = { LOG_LEVEL: 'trace' };
    installation = await Installation.start({ fleet, backend, handlersDir: directory, workers: 1, env, expectErrors: true });
    client = installation.client();
  }, 60_000);
  afterAll(() => {
    removeDirectory(directory);
  });

  const printed = (): string => {
    const apps = new Set([installation.api, installation.scheduler, ...installation.workers]);
    return [...apps]
      .map(
        (app) =>
          `${app
            .logs()
            .map((line) => JSON.stringify(line))
            .join('\n')}\n${app.stderr()}`,
      )
      .join('\n');
  };

  it('is in no line about a task, whatever becomes of it', async () => {
    const word = canary('task');
    const more = { payload: { word }, metadata: { word } };
    for (const prefix of ['plain', 'apart']) {
      const tasks = await Promise.all(Object.keys(ENDS).map((name) => client.submit({ name: `${prefix}.${name}`, ...more })));
      const ended = await Promise.all(tasks.map(({ id }) => client.finished(id, 60_000)));
      expect(Object.fromEntries(ended.map(({ name, state }) => [name.replace(`${prefix}.`, ''), state]))).toEqual(ENDS);
      const waiting = await client.submit({ name: `${prefix}.waits`, ...more });
      await until(async () => (await client.get(waiting.id)).state === 'running', { what: 'the task to run' });
      await client.request('POST', `/api/tasks/${waiting.id}/cancel`, { body: { reason: canary('reason') } });
      expect((await client.finished(waiting.id)).state).toBe('cancelled');
    }
    await client.submitBatch([
      { name: 'plain.returns', ...more },
      { name: '', payload: { word } },
    ]);
    expect(printed()).toContain('An attempt is recorded.');
  }, 120_000);

  it('is in no line about a request, whatever is wrong with it', async () => {
    const word = canary('request');
    const headers = {
      'user-agent': word,
      cookie: `session=${word}`,
      'x-custom': word,
      referer: `https://${word}.example/`,
      'x-request-id': `<${word}>`,
    };
    const answers = await Promise.all([
      client.request('GET', `/api/tasks?${word}=${word}`, { headers }),
      client.request('GET', `/api/tasks?cursor=${word}`, { headers }),
      client.request('GET', `/api/tasks/${word}`, { headers }),
      client.request('GET', `/${word}?${word}`, { headers }),
      client.request('PATCH', `/api/tasks/${word}`, { headers }),
      client.request('GET', '/api/tasks', { headers: { ...headers, authorization: `Bearer ${word}` } }),
      client.request('GET', '/api/tasks', { headers: { ...headers, authorization: `Bearer ${word}.${word}.${word}` } }),
      client.request('GET', '/api/tasks', { headers: { ...headers, authorization: `Basic ${word}` } }),
      client.request('POST', '/api/tasks', { body: `{"name":"plain.returns","payload":"${word}`, headers }),
      client.request('POST', '/api/tasks', { body: word, headers: { ...headers, 'content-type': `text/${word}` } }),
      client.request('POST', '/api/tasks', { body: { name: word.repeat(20), [word]: word, tags: [word, word] }, headers }),
      client.request('POST', '/api/tasks', {
        body: { name: 'plain.returns' },
        headers: { ...headers, prefer: word, 'idempotency-key': word.repeat(50) },
      }),
    ]);
    expect(answers.filter(({ status }) => status < 400 || status >= 500)).toEqual([]);
    expect(await client.submit({ name: 'plain.returns', payload: word }, { idempotencyKey: word, waitSeconds: 10 })).toMatchObject({
      state: 'succeeded',
    });
    await until(() => printed().includes('a token was refused'), { what: 'the requests to be logged' });
  }, 60_000);

  it('is in nothing that was printed from the start to the end', async () => {
    const apps = new Set([installation.api, installation.scheduler, ...installation.workers]);
    await Promise.all([...apps].map((app) => app.stop()));
    const lines = printed().split('\n');
    expect(lines.length).toBeGreaterThan(100);
    expect(lines.filter((line) => line.includes(CANARY))).toEqual([]);
    expect([...apps].filter((app) => app.logs().length >= 5_000)).toEqual([]);
  }, 60_000);
});

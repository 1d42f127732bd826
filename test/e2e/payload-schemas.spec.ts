/** The schema of a payload, written beside its handler, where every role is a process of its own and where one process is all. */
import { mkdirSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from '@jest/globals';
import { backends } from '../support/backends.js';
import { Client } from '../support/client.js';
import { useFleet } from '../support/fleet.js';
import { Installation } from '../support/installation.js';
import { migrateWith } from '../support/migrate.js';
import { onServers } from '../support/on-servers.js';
import { removeDirectory, temporaryDirectory } from '../support/reaper.js';
import { signToken, TEST_SECRET } from '../support/token.js';

const handler = (schema: string): string => `
  console.log('loaded');
  setInterval(() => undefined, 1_000);
  export default [
    { name: 'strict', timeoutMs: 4_321, payloadSchema: ${schema}, run: (payload) => payload.to },
    { name: 'strict.apart', isolation: 'thread', payloadSchema: ${schema}, run: (payload) => payload.to },
    { name: 'tells', run: () => globalThis.process.env.AUTH_JWT_SECRET ?? 'no secret' },
  ];`;
const SCHEMA = "{ type: 'object', required: ['to'], properties: { to: { type: 'string', pattern: '^[a-z]+$' } } }";

function folder(directory: string, name: string, text: string): string {
  const path = join(directory, name);
  mkdirSync(path, { recursive: true });
  writeFileSync(join(path, 'strict.mjs'), text);
  return path;
}

describe.each(backends())('a payload schema on $name', (backend) => {
  const directory = temporaryDirectory('payload-schemas');
  const fleet = useFleet();
  let installation: Installation;
  let client: Client;

  beforeAll(async () => {
    installation = await Installation.start({ fleet, backend, handlersDir: folder(directory, 'good', handler(SCHEMA)), workers: 1 });
    client = installation.client();
  }, 60_000);
  afterAll(() => {
    removeDirectory(directory);
  });

  it('refuses at submission, with a pointer, and lets through what fits', async () => {
    const refused = await client.request<{ code: string; errors: object[] }>('POST', '/api/tasks', {
      body: { name: 'strict', payload: { to: 'Me' } },
    });
    expect([refused.status, refused.body.code, refused.body.errors]).toEqual([
      422,
      'payload-invalid',
      [{ pointer: '/payload/to', code: 'pattern', message: 'must match ^[a-z]+$' }],
    ]);
    for (const name of ['strict', 'strict.apart']) {
      expect((await client.submit({ name, payload: { to: 'me' } }, { waitSeconds: 30 })).result).toBe('me');
    }
    const plan = await client.request<object>('POST', '/api/tasks?dryRun=true', { body: { name: 'strict', payload: { to: 'me' } } });
    expect(plan.body).toMatchObject({ handlerKnown: true, timeoutMs: 4_321 });
  });
});

onServers('an api without a worker', (backend) => {
  const directory = temporaryDirectory('payload-schemas-api');
  const fleet = useFleet();
  let addresses: Record<string, string>;
  beforeAll(async () => {
    addresses = await backend.environment();
    await migrateWith(addresses);
  }, 30_000);
  afterAll(() => {
    removeDirectory(directory);
  });

  it.each([
    ['a schema that cannot be used', "{ $ref: 'https://example.com/x.json' }", 'nothing is fetched'],
    ['a module that calls process.exit()', '(process.exit(3), {})', 'strict.mjs could not be loaded: it called process.exit'],
    ['a module that does not end', 'await new Promise(() => undefined)', 'were not loaded within 3000 ms'],
  ])('does not start with %s', async (_, schema, message) => {
    const handlersDir = folder(directory, message.slice(0, 8).replaceAll(/\W/g, ''), handler(schema));
    const env = { ...addresses, ROLE: 'api', HANDLERS_DIR: handlersDir, AUTH_JWT_SECRET: TEST_SECRET, HANDLERS_READ_MS: '3000' };
    const app = fleet.spawn({ env, expectErrors: true });
    expect((await app.exited).code).toBe(1);
    expect(app.stderr()).toMatch(new RegExp(message));
    expect(app.stderr()).not.toContain(directory);
  });

  it('whose check is off leaves it to the worker', async () => {
    const handlersDir = folder(directory, 'off', handler(SCHEMA));
    const installation = await Installation.start({ fleet, backend, handlersDir, workers: 1, env: { PAYLOAD_SCHEMAS: 'off' } });
    const client = new Client(installation.api.url, signToken());
    for (const name of ['strict', 'strict.apart']) {
      const task = await client.submit({ name, payload: {} }, { waitSeconds: 30 });
      expect(task).toMatchObject({ state: 'failed', lastError: { code: 'payload-invalid' }, attempt: 1 });
    }
  });
});

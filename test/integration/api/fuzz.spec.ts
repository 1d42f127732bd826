/**
 * Random requests to every route, made from the OpenAPI document and a little beside it: never an error of ours, never an answer that
 * the document does not have. `npm run fuzz -- --runs 10000 --seed 7` runs more of them; a failure names its seed and shrinks itself.
 */
import { afterAll, beforeAll, describe, expect, it } from '@jest/globals';
import fc from 'fast-check';
import { startApiOnStore, type ApiOnStore } from '../../support/api-on-store.js';
import { backends } from '../../support/backends.js';
import { readOpenApi } from '../../support/openapi.js';
import { answerCheck } from '../../support/openapi-answers.js';
import { requestsOf, type FuzzRequest } from '../../support/openapi-requests.js';

const RUNS = Number(process.env['TEST_FUZZ_RUNS'] ?? 500);
const SEED = process.env['TEST_FUZZ_SEED'];
const PER_RUN_MS = 60;

const document = readOpenApi();
const problemWith = answerCheck(document);
/** One is enough: what the stores do differently is tested with the stores. A server takes fewer texts than a file does. */
const backend = backends().at(-1)!;

describe('random requests', () => {
  let api: ApiOnStore;
  const known: string[] = ['0190a8f0-0000-7000-8000-000000000000'];
  beforeAll(async () => {
    api = await startApiOnStore(backend, { BULK_RUNNING_MAX: '100' });
    const { items } = JSON.parse(
      await send('POST', '/api/tasks/batch', JSON.stringify({ tasks: Array.from({ length: 20 }, () => ({ name: 'echo' })) })),
    ) as {
      items: { task: { id: string } }[];
    };
    known.push(...items.map(({ task }) => task.id));
    const bulk = await send('POST', '/api/bulk', JSON.stringify({ action: 'retry', filter: { name: 'echo' }, reason: 'to have one' }));
    known.push((JSON.parse(bulk) as { id: string }).id);
  }, 30_000);
  afterAll(() => api.close());

  async function send(method: string, path: string, body: string): Promise<string> {
    const headers = { authorization: `Bearer ${api.token()}`, 'content-type': 'application/json' };
    return (await fetch(`${api.url}${path}`, { method, headers, body })).text();
  }

  async function answerTo({ method, path, headers, body }: FuzzRequest) {
    const response = await fetch(`${api.url}${path}`, { method, headers: { authorization: `Bearer ${api.token()}`, ...headers }, body });
    return { status: response.status, contentType: response.headers.get('content-type') ?? '', text: await response.text() };
  }

  it.each(document.operations.map((operation) => [`${operation.method} ${operation.path}`, operation] as const))(
    'to %s are answered as documented, and never with an error of ours',
    async (_, operation) => {
      const reached = new Set<number>();
      const property = fc.asyncProperty(requestsOf(document, operation, known), async (request) => {
        const answer = await answerTo(request);
        reached.add(answer.status);
        expect(answer.status).toBeLessThan(500);
        expect(problemWith(operation, answer)).toBeNull();
      });
      await fc.assert(property, { numRuns: RUNS, ...(SEED === undefined ? {} : { seed: Number(SEED) }) });
      expect([...reached].some((status) => status < 300 || status === 404 || status === 409)).toBe(true);
      expect(api.lines.filter((line) => /"level":"(error|fatal)"/.test(line))).toEqual([]);
    },
    RUNS * PER_RUN_MS + 30_000,
  );
});

import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from '@jest/globals';
import { routesOf } from '@app/auth';
import { startFront, type Front } from '../../../../test/support/front.js';
import { buildOpenApiDocument } from './build-document.js';

let front: Front;
beforeAll(async () => {
  front = await startFront();
});
afterAll(() => front.close());

interface Operation {
  security?: unknown;
  'x-required-scope'?: string;
  requestBody?: unknown;
  responses: Record<string, { content?: Record<string, unknown> }>;
}

describe('the OpenAPI document', () => {
  it('is the committed one (npm run --silent openapi > docs/openapi.json)', () => {
    const committed = JSON.parse(readFileSync(join(import.meta.dirname, '../../../../docs/openapi.json'), 'utf8')) as unknown;
    expect(JSON.parse(JSON.stringify(buildOpenApiDocument(front.app)))).toEqual(committed);
  });

  it('has every route with its scope and its problems', () => {
    const { paths } = buildOpenApiDocument(front.app);
    for (const { method, path, access } of routesOf(front.app)) {
      const item = paths[path.replace(/:([a-z]+)/g, '{$1}')] as Record<string, Operation> | undefined;
      const operation = item?.[method.toLowerCase()];
      expect([path, operation?.['x-required-scope']]).toEqual([path, Array.isArray(access) ? access.join(' ') : undefined]);
      expect(operation?.security).toEqual([{ bearer: [] }]);
      for (const status of ['400', '401', '403', '500', '503', ...(method === 'POST' ? ['413', '415', '422'] : [])]) {
        expect([path, Object.keys(operation?.responses[status]?.content ?? {})]).toEqual([path, ['application/problem+json']]);
      }
      expect(Object.keys(operation?.responses ?? {}).some((status) => status.startsWith('2'))).toBe(true);
    }
  });

  it('describes the bounds that are enforced', () => {
    const schemas = buildOpenApiDocument(front.app).components?.schemas ?? {};
    expect(schemas['NewTask']).toMatchObject({
      required: ['name'],
      properties: { priority: { type: 'integer', minimum: -100, maximum: 100 }, name: { pattern: '^[A-Za-z0-9._:-]+$', maxLength: 128 } },
    });
    expect(schemas['NewTask']).not.toHaveProperty('properties.idempotencyKey');
    expect(schemas['NewBatchTask']).toHaveProperty('properties.idempotencyKey');
    expect(schemas).toHaveProperty('Problem');
  });
});

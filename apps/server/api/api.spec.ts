import { Controller, Get, HttpException, ServiceUnavailableException } from '@nestjs/common';
import { afterAll, beforeAll, beforeEach, describe, expect, it } from '@jest/globals';
import { Public } from '@app/auth';
import { Unavailable } from '@app/errors';
import { startFront, type Front } from '../../../test/support/front.js';

@Public()
@Controller('broken')
class BrokenController {
  @Get('type-error')
  typeError(): never {
    throw new TypeError("Cannot read properties of undefined (reading 'ER_DUP_ENTRY' in SELECT `secret` FROM /app/x.ts:1:2)");
  }

  @Get('not-an-error')
  notAnError(): never {
    throw 'text';
  }

  @Get('teapot')
  teapot(): never {
    throw new HttpException('SELECT 1', 418);
  }

  @Get('health')
  health(): never {
    throw new ServiceUnavailableException({ status: 'error', info: {}, error: {}, details: { database: { status: 'down' } } });
  }
}

let front: Front;
beforeAll(async () => {
  front = await startFront({}, [BrokenController]);
});
afterAll(() => front.close());
beforeEach(() => {
  front.tasks.failure = null;
  front.lines.length = 0;
});

describe('errors', () => {
  it.each(['type-error', 'not-an-error'])('shows nothing of %s and logs it with the request id', async (path) => {
    const response = await front.call(`/broken/${path}`, { headers: { 'x-request-id': 'abc-1' } });
    expect(response.status).toBe(500);
    expect(response.headers.get('content-type')).toMatch(/^application\/problem\+json/);
    const text = await response.text();
    expect(text).not.toMatch(/ER_|SELECT|TypeError|\.ts|\/app|undefined|stack/);
    expect(JSON.parse(text)).toMatchObject({
      type: 'urn:task-runner-x:problem:internal',
      code: 'internal',
      status: 500,
      requestId: 'abc-1',
    });
    expect(front.lines).toContainEqual(expect.objectContaining({ level: 'error', requestId: 'abc-1', code: 'internal' }));
  });

  it('does not pass on the words of a framework error', async () => {
    const response = await front.call('/broken/teapot');
    expect(response.status).toBe(418);
    expect(await response.text()).not.toContain('SELECT');
  });

  it('lets the report of a failed health check through', async () => {
    const response = await front.call('/broken/health');
    expect(response.status).toBe(503);
    expect(await response.json()).toMatchObject({ status: 'error', details: { database: { status: 'down' } } });
  });

  it('answers 503 with Retry-After while a dependency is away, and warns', async () => {
    front.tasks.failure = new Unavailable('The database does not answer. Repeat the request shortly.', {
      cause: new Error('ECONNREFUSED 10.0.0.1'),
    });
    const response = await front.post('/api/tasks', { name: 'echo' });
    expect(response.status).toBe(503);
    expect(response.headers.get('retry-after')).toBe('2');
    const text = await response.text();
    expect(JSON.parse(text)).toMatchObject({ code: 'dependency-unavailable' });
    expect(text).not.toContain('ECONNREFUSED');
    expect(front.lines.some((line) => line['level'] === 'warn' && JSON.stringify(line).includes('ECONNREFUSED'))).toBe(true);
  });

  it.each([
    ['GET', '/nowhere', 404, 'not-found', null],
    ['GET', '/api/nowhere', 404, 'not-found', null],
    ['PUT', '/api/tasks', 405, 'method-not-allowed', 'POST, GET, HEAD'],
    ['DELETE', '/api/tasks/0190a8f0-0000-7000-8000-000000000000', 405, 'method-not-allowed', 'GET, HEAD'],
    ['GET', '/api/tasks/%ff', 400, 'bad-request', null],
  ])('%s %s: %i %s', async (method, path, status, code, allow) => {
    const response = await front.call(path, { method });
    expect(response.status).toBe(status);
    expect(await response.json()).toMatchObject({ code, status });
    expect(response.headers.get('allow')).toBe(allow);
  });

  it('does not let a header change the method', async () => {
    const response = await front.post('/api/tasks', { name: 'echo' }, { 'x-http-method-override': 'DELETE' });
    expect(response.status).toBe(201);
  });
});

describe('headers', () => {
  it('keeps a harmless request id and replaces any other', async () => {
    const kept = await front.call('/api/queues', { headers: { 'x-request-id': 'A.b_c-1' } });
    expect(kept.headers.get('x-request-id')).toBe('A.b_c-1');
    for (const bad of ['<script>', 'a b', 'x'.repeat(65), 'a;b']) {
      const replaced = await front.call('/api/queues', { headers: { 'x-request-id': bad } });
      expect(replaced.headers.get('x-request-id')).toMatch(/^[0-9a-f-]{36}$/);
    }
  });

  it('sends security headers and no trace of the framework', async () => {
    const { headers } = await front.call('/api/queues');
    expect(headers.get('cache-control')).toBe('no-store');
    expect(headers.get('x-content-type-options')).toBe('nosniff');
    expect(headers.get('content-security-policy')).toContain("default-src 'none'");
    expect(headers.get('x-powered-by')).toBeNull();
    expect(headers.get('etag')).toBeNull();
    expect(headers.get('access-control-allow-origin')).toBeNull();
  });

  it('logs the template of the path and never the query', async () => {
    await front.call('/api/tasks/0190a8f0-0000-7000-8000-000000000000?access_token=hunter2');
    const line = front.lines.find((each) => each['msg'] === 'request');
    expect(line).toMatchObject({ level: 'debug', method: 'GET', route: '/api/tasks/:id', status: 400 });
    expect(JSON.stringify(front.lines)).not.toContain('hunter2');
  });
});

describe('documents', () => {
  it('serves the OpenAPI document and Swagger UI to anybody', async () => {
    const document = await fetch(`${front.url}/openapi.json`);
    expect(document.status).toBe(200);
    expect(Object.keys(((await document.json()) as { paths: object }).paths)).toContain('/api/tasks/{id}');
    const page = await fetch(`${front.url}/docs`);
    expect(page.headers.get('content-type')).toContain('text/html');
    const html = await page.text();
    const scripts = [...html.matchAll(/src="([^"]+\.js)"/g)].map((match) => new URL(match[1] ?? '', `${front.url}/docs`));
    expect(scripts.length).toBeGreaterThan(0);
    for (const script of scripts) {
      expect((await fetch(script)).status).toBe(200);
    }
    expect(html).not.toMatch(/<script(?![^>]*src=)[^>]*>/);
  });
});

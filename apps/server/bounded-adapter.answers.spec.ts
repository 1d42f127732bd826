/** What a route returns is answered by the adapter as Express would have answered it. */
import { Readable } from 'node:stream';
import { Controller, Get, Header, HttpCode, Module, StreamableFile } from '@nestjs/common';
import { NestFactory } from '@nestjs/core';
import { ExpressAdapter, type NestExpressApplication } from '@nestjs/platform-express';
import { afterAll, beforeAll, describe, expect, it } from '@jest/globals';
import { loadConfig } from '@app/config';
import { BoundedAdapter, httpLimits } from './bounded-adapter.js';

class Dated {
  readonly at = new Date(0);
  toJSON(): object {
    return { at: this.at, left: undefined };
  }
}

@Controller()
class Answers {
  @Get('object')
  object(): object {
    return { text: 'plain', none: null, left: undefined, deep: [{ a: 1 }] };
  }

  @Get('latin')
  latin(): object {
    return { text: 'Käse für café' };
  }

  @Get('wide')
  wide(): object {
    return { text: '日本語 🙂 \u2028', half: '\ud800' };
  }

  @Get('list')
  list(): number[] {
    return [1, 2, 3];
  }

  @Get('large')
  large(): object {
    return { text: 'x'.repeat(100_000) };
  }

  @Get('dated')
  dated(): Dated {
    return new Dated();
  }

  @Get('hidden')
  hidden(): object {
    return { toJSON: () => undefined };
  }

  @Get('text')
  text(): string {
    return '<b>text</b>';
  }

  @Get('nothing')
  nothing(): void {
    return undefined;
  }

  @Get('bytes')
  bytes(): StreamableFile {
    return new StreamableFile(Readable.from([Buffer.from('bytes')]));
  }

  @Get('buffer')
  buffer(): Buffer {
    return Buffer.from('raw');
  }

  @Get('accepted')
  @HttpCode(202)
  accepted(): object {
    return { status: 202 };
  }

  @Get('empty')
  @HttpCode(204)
  empty(): object {
    return { not: 'sent' };
  }

  @Get('reset')
  @HttpCode(205)
  reset(): object {
    return { not: 'sent' };
  }

  @Get('typed')
  @Header('Content-Type', 'application/vnd.own+json')
  typed(): object {
    return { own: true };
  }
}

@Module({ controllers: [Answers] })
class AnswersModule {}

interface Answer {
  readonly status: number;
  readonly headers: Record<string, string>;
  readonly body: string;
}

const PATHS = [
  'object',
  'latin',
  'wide',
  'list',
  'large',
  'dated',
  'hidden',
  'text',
  'nothing',
  'bytes',
  'buffer',
  'accepted',
  'empty',
  'reset',
  'typed',
];

describe('an answer', () => {
  const apps: NestExpressApplication[] = [];
  let [ours, theirs] = ['', ''];

  async function listen(adapter: ExpressAdapter): Promise<string> {
    const app = await NestFactory.create<NestExpressApplication>(AnswersModule, adapter, { logger: false, bodyParser: false });
    app.disable('x-powered-by');
    app.disable('etag');
    await app.listen(0, '127.0.0.1');
    apps.push(app);
    return app.getUrl();
  }

  beforeAll(async () => {
    ours = await listen(new BoundedAdapter(httpLimits(loadConfig({})), () => undefined));
    theirs = await listen(new ExpressAdapter());
  });
  afterAll(async () => {
    await Promise.all(apps.map((app) => app.close()));
  });

  async function ask(url: string, path: string, method: string): Promise<Answer> {
    const response = await fetch(`${url}/${path}`, { method });
    const headers = Object.fromEntries(response.headers);
    // Of the clock, and of the limits that the other one does not have.
    delete headers['date'];
    delete headers['keep-alive'];
    return { status: response.status, headers, body: Buffer.from(await response.arrayBuffer()).toString('hex') };
  }

  it.each(PATHS.flatMap((path) => ['GET', 'HEAD'].map((method) => [path, method] as const)))(
    '“%s” to %s is what Express would have sent',
    async (path, method) => {
      expect(await ask(ours, path, method)).toEqual(await ask(theirs, path, method));
    },
  );

  it('with data says its type and its length', async () => {
    const { status, headers, body } = await ask(ours, 'latin', 'GET');
    const text = JSON.stringify({ text: 'Käse für café' });
    expect(status).toBe(200);
    expect(headers).toMatchObject({ 'content-type': 'application/json; charset=utf-8', 'content-length': String(Buffer.byteLength(text)) });
    expect(Buffer.from(body, 'hex').toString()).toBe(text);
  });

  it('with data is never held against what the client has, because data has no tag', async () => {
    // fetch would add `no-cache`, which no tag stands against.
    const asking = { headers: { 'if-none-match': '*', 'cache-control': 'max-age=0' } };
    expect((await fetch(`${ours}/object`, asking)).status).toBe(200);
    expect((await fetch(`${theirs}/object`, asking)).status).toBe(304);
  });
});

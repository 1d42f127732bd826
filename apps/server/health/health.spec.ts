/** What the probes say where a part is missing; that of the real parts is shown by the tests of whole processes. */
import 'reflect-metadata';
import { Global, Module } from '@nestjs/common';
import { NestFactory } from '@nestjs/core';
import type { NestExpressApplication } from '@nestjs/platform-express';
import { afterEach, beforeEach, describe, expect, it } from '@jest/globals';
import { Config, loadConfig } from '@app/config';
import { Database, Schema } from '@app/database';
import { Conditions, Drain, Loops } from '@app/lifecycle';
import { Doorbell } from '@app/queue';
import { HealthModule } from './health.module.js';

const LACKS = 'the key set of the issuer was never fetched';

describe('the probes', () => {
  let app: NestExpressApplication;
  let isMet: boolean;
  beforeEach(async () => {
    isMet = true;
    const conditions = new Conditions();
    conditions.require(LACKS, () => isMet);
    const providers = [
      { provide: Config, useValue: loadConfig({}) },
      { provide: Database, useValue: { execute: () => Promise.resolve(0), query: () => Promise.resolve([]) } },
      { provide: Schema, useValue: { assert: () => Promise.resolve() } },
      { provide: Doorbell, useValue: { condition: () => Promise.resolve({ trouble: null, advice: null }) } },
      { provide: Drain, useValue: new Drain() },
      { provide: Conditions, useValue: conditions },
      { provide: Loops, useValue: new Loops() },
    ];
    class Parts {}
    Global()(Parts);
    Module({ providers, exports: providers.map(({ provide }) => provide) })(Parts);
    class Root {}
    Module({ imports: [Parts, HealthModule] })(Root);
    app = await NestFactory.create<NestExpressApplication>(Root, { logger: false, forceCloseConnections: true, abortOnError: false });
    await app.listen(0, '127.0.0.1');
  });
  afterEach(() => app.close());

  async function ask(path: string) {
    const response = await fetch(`${(await app.getUrl()).replace('[::1]', '127.0.0.1')}${path}`);
    const { details } = (await response.json()) as { details: Record<string, { status: string; reason?: string }> };
    return { status: response.status, details };
  }

  it('say in the whole view, as in readiness, that what the process needs at its start is not there, and restart nobody for it', async () => {
    const paths = ['/health', '/health/ready'];
    for (const path of paths) expect(await ask(path)).toMatchObject({ status: 200, details: { start: { status: 'up' } } });
    isMet = false;
    for (const path of paths) expect(await ask(path)).toMatchObject({ status: 503, details: { start: { status: 'down', reason: LACKS } } });
    expect((await ask('/health/live')).status).toBe(200);
  });
});

import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { Injectable, Module, Scope, type Type } from '@nestjs/common';
import { NestFactory } from '@nestjs/core';
import { describe, expect, it } from '@jest/globals';
import {
  DuplicateHandler,
  HandlerRegistry,
  InvalidHandler,
  TaskHandler,
  type AbandonContext,
  type AbandonedResource,
  type TaskContext,
} from '@app/handlers';
import { HandlersModule, type HandlersOptions } from './handlers.module.js';

@Injectable()
class Letters {
  upper(text: string): string {
    return text.toUpperCase();
  }
}

@TaskHandler({ name: 'letters.upper', timeoutMs: 1_000, retry: { maxAttempts: 2 } })
@Injectable()
class UpperHandler {
  constructor(private readonly letters: Letters) {}

  run(payload: unknown): string {
    return this.letters.upper(String(payload));
  }
}

@TaskHandler({ name: 'letters.last', fallback: 'letters.upper' })
class LastResort {
  readonly gone: string[] = [];

  run(): null {
    return null;
  }

  onAbandon({ ref }: AbandonedResource): void {
    this.gone.push(ref);
  }
}

@TaskHandler('echo')
class AnotherEcho {
  run(payload: unknown): unknown {
    return payload;
  }
}

@TaskHandler('scoped')
@Injectable({ scope: Scope.REQUEST })
class ScopedHandler {
  run(): null {
    return null;
  }
}

@TaskHandler('bad name')
class BadlyNamed {
  run(): null {
    return null;
  }
}

const echo = { name: 'echo', run: (payload: unknown) => payload };

async function boot(options: Partial<HandlersOptions>, ...providers: Type[]): Promise<HandlerRegistry> {
  @Module({
    imports: [HandlersModule.forRoot({ definitions: [], directory: null, deadlineMs: 10_000, ...options })],
    providers: [Letters, ...providers, ...providers.map((useExisting) => ({ provide: `alias-${useExisting.name}`, useExisting }))],
  })
  class Application {}
  const application = await NestFactory.createApplicationContext(Application, { logger: false, abortOnError: false });
  const registry = application.get(HandlerRegistry);
  await application.close();
  return registry;
}

describe('HandlersModule', () => {
  it('gathers the program’s definitions, the folder’s modules and the marked providers', async () => {
    const directory = await mkdtemp(join(tmpdir(), 'handlers-'));
    await writeFile(join(directory, 'mail.mjs'), `export default { name: 'mail.send', run: () => 'sent' };`);
    const registry = await boot({ definitions: [echo], directory }, UpperHandler);
    await rm(directory, { recursive: true });
    expect(registry.names()).toEqual(['echo', 'letters.upper', 'mail.send']);
    expect(registry.get('letters.upper')).toMatchObject({ timeoutMs: 1_000, retry: { maxAttempts: 2 } });
    expect(await registry.get('letters.upper')?.run('abc', {} as TaskContext)).toBe('ABC');
  });

  it('knows the fallback and the hook of a marked provider, and ends the boot where the fallback is unknown', async () => {
    const registry = await boot({}, UpperHandler, LastResort);
    expect(await registry.standIn('letters.last', 1)?.run('abc', {} as TaskContext)).toBe('ABC');
    const hook = registry.get('letters.last')?.onAbandon;
    expect(() => hook?.({ taskId: 't', tenant: 'acme', kind: 'vm', ref: '7', tries: 0 }, {} as AbandonContext)).not.toThrow();
    expect(registry.get('letters.upper')?.onAbandon).toBeUndefined();
    await expect(boot({}, LastResort)).rejects.toThrow('no handler is named "letters.upper"');
  });

  it('ends the boot at a name taken twice, and names both places', async () => {
    const booting = boot({ definitions: [echo] }, AnotherEcho);
    await expect(booting).rejects.toThrow(DuplicateHandler);
    await expect(booting).rejects.toThrow('one from the program itself, one from the provider AnotherEcho of Application.');
  });

  it('ends the boot at a marked provider that is not in the default scope', async () => {
    const booting = boot({}, ScopedHandler);
    await expect(booting).rejects.toThrow(InvalidHandler);
    await expect(booting).rejects.toThrow('default scope');
  });

  it('checks the options of the decorator', async () => {
    await expect(boot({}, BadlyNamed)).rejects.toThrow(/the provider BadlyNamed of Application.*"name" must be/);
  });
});

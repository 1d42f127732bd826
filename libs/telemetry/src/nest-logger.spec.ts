import { describe, expect, it } from '@jest/globals';
import { createLogger } from './logger.js';
import { NestLogger } from './nest-logger.js';

function capture(): { nest: NestLogger; parsed: () => Record<string, unknown>[] } {
  const lines: string[] = [];
  const destination = { write: (line: string) => void lines.push(line) };
  const nest = new NestLogger(createLogger({ level: 'trace', format: 'json', role: 'api', destination }));
  return { nest, parsed: () => lines.map((line) => JSON.parse(line) as Record<string, unknown>) };
}

describe('NestLogger', () => {
  it('puts boot chatter at debug and everything else where it belongs', () => {
    const { nest, parsed } = capture();
    nest.log('Mapped {/api/tasks, POST} route', 'RouterExplorer');
    nest.log('Ready', 'Server');
    nest.warn('careful', 'Server');
    nest.debug('detail', 'Server');
    nest.verbose('more detail', 'Server');
    nest.fatal('over', 'Server');
    expect(parsed().map(({ level, context }) => `${String(level)} ${String(context)}`)).toEqual([
      'debug RouterExplorer',
      'info Server',
      'warn Server',
      'debug Server',
      'trace Server',
      'fatal Server',
    ]);
  });

  it('keeps the stack of an error, given as a text or as the error itself', () => {
    const { nest, parsed } = capture();
    nest.error('It failed', 'Error: It failed\n    at here', 'ExceptionsHandler');
    nest.error(new TypeError('really'));
    nest.error('wrapped', new Error('inner'), 'ExceptionsHandler');
    expect(parsed()).toMatchObject([
      { level: 'error', context: 'ExceptionsHandler', msg: 'It failed', err: { stack: 'Error: It failed\n    at here' } },
      { level: 'error', msg: 'really', err: { type: 'TypeError' } },
      { level: 'error', context: 'ExceptionsHandler', msg: 'wrapped', err: { message: 'inner' } },
    ]);
  });

  it('accepts objects', () => {
    const { nest, parsed } = capture();
    nest.log({ password: 'hush', queue: 'mail' });
    expect(parsed()[0]).toMatchObject({ detail: { password: '[redacted]', queue: 'mail' } });
  });
});

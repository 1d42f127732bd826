import { describe, expect, it } from '@jest/globals';
import fc from 'fast-check';
import { createLogger, LOG_LEVELS, type Logger, type LoggerOptions } from './logger.js';
import { runWithContext } from './request-context.js';

function capture(options: Partial<LoggerOptions> = {}): { logger: Logger; lines: string[]; parsed: () => Record<string, unknown>[] } {
  const lines: string[] = [];
  const destination = { write: (line: string) => void lines.push(line) };
  const logger = createLogger({ level: 'trace', format: 'auto', role: 'worker', destination, ...options });
  return { logger, lines, parsed: () => lines.map((line) => JSON.parse(line) as Record<string, unknown>) };
}

describe('Logger', () => {
  it.each(LOG_LEVELS)('writes one JSON line at %s with time, level, role and pid', (level) => {
    const { logger, lines, parsed } = capture();
    logger[level]({ taskId: 't-1', count: 3 }, 'Something happened.');
    expect(lines).toHaveLength(1);
    expect(lines[0]).toMatch(/^\{.*\}\n$/);
    const [line] = parsed();
    expect(line).toMatchObject({ level, role: 'worker', pid: process.pid, taskId: 't-1', count: 3, msg: 'Something happened.' });
    expect(line?.['time']).toMatch(/^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}Z$/);
  });

  it.each(LOG_LEVELS)('keeps to the level %s', (level) => {
    const { logger, parsed } = capture({ level });
    for (const each of LOG_LEVELS) logger[each]({}, each);
    expect(parsed().map((line) => line['msg'])).toEqual(LOG_LEVELS.slice(LOG_LEVELS.indexOf(level)));
    expect(logger.isEnabled('trace')).toBe(level === 'trace');
  });

  it('is silent when told so', () => {
    const { logger, lines } = capture({ level: 'silent' });
    logger.fatal({}, 'unheard');
    expect(lines).toEqual([]);
  });

  it('adds the fields of a child to its lines', () => {
    const { logger, parsed } = capture();
    logger.child({ queue: 'mail', password: 'p' }).info({ name: 'send' }, 'x');
    expect(parsed()[0]).toMatchObject({ queue: 'mail', name: 'send', password: '[redacted]' });
  });

  it('adds the ids of the running request or attempt, and keeps requests apart', async () => {
    const { logger, parsed } = capture();
    const turn = (requestId: string) =>
      runWithContext({ requestId }, async () => {
        await Promise.resolve();
        runWithContext({ taskId: 't', attempt: 2, tenant: 'acme' }, () => logger.info({}, requestId));
        logger.info({}, requestId);
      });
    await Promise.all([turn('r-1'), turn('r-2')]);
    logger.info({}, 'outside');
    const lines = parsed();
    expect(lines.filter((line) => line['requestId'] === line['msg'])).toHaveLength(4);
    expect(lines.filter((line) => line['taskId'] === 't' && line['attempt'] === 2 && line['tenant'] === 'acme')).toHaveLength(2);
    expect(lines.at(-1)).not.toHaveProperty('requestId');
  });

  it('does not lose a field that has the name of a standard one', () => {
    const { logger, lines, parsed } = capture();
    logger.info({ level: 'mine', msg: 'mine', time: 1 }, 'x');
    expect(parsed()[0]).toMatchObject({ level: 'info', level_: 'mine', msg: 'x', msg_: 'mine', time_: 1 });
    expect(lines[0]?.match(/"level":/g)).toHaveLength(1);
  });

  it.each<[Record<string, unknown>, string]>([
    [{ authorization: 'Bearer abc.def' }, 'abc.def'],
    [{ headers: { Cookie: 'sid=hush', 'set-cookie': ['hush'] } }, 'hush'],
    [{ db: { password: 'hush', userPasswd: 'hush' } }, 'hush'],
    [{ AUTH_JWT_SECRET: 'hush', accessToken: 'hush', apiKey: 'hush', privateKey: 'hush' }, 'hush'],
    [{ note: `key trx_${'0'.repeat(22)}_${'hush'.repeat(10)}123_abcdef here` }, 'hush'],
    [{ note: `cut off trx_${'0'.repeat(22)}_hush` }, 'hush'],
    [{ note: 'token eyJhbGciOiJIUzI1NiJ9.eyJzdWIiOiJhIn0.c2lnbmF0dXJl here' }, 'eyJ'],
    [{ note: 'connect mysql://root:hush@db:3306/tasks failed' }, 'hush'],
    [{ note: 'redis://:hush@cache:6379 and rediss://u:hush@x' }, 'hush'],
    [{ note: 'Authorization: Basic aHVzaA==' }, 'aHVzaA'],
    [{ note: 'cookie: a=hush; b=hush' }, 'hush'],
    [{ note: '{"password":"hush","x":1} secret=hush&token=hush' }, 'hush'],
    [{ err: new Error('Access denied', { cause: new Error('mysql://u:hush@h') }) }, 'hush'],
    [{ note: 'refused trx_7Fh2kQ_hushhushhushhushhushhushhush0000_1aB2c3 just now' }, 'hush'],
    [{ 'x-api-key': 'hush', headers: { 'X-API-Key': 'hush' } }, 'hush'],
    [{ payload: { a: 'hush' }, result: 'hush', task: { payload: 'hush', body: 'hush' } }, 'hush'],
    [{ key: '-----BEGIN PRIVATE KEY-----\nhush\n-----END PRIVATE KEY-----' }, 'hush'],
  ])('leaves out what must not be logged: %#', (fields, hidden) => {
    const { logger, lines } = capture();
    logger.info(fields, 'plain');
    logger.info({}, `text ${JSON.stringify(fields['note'] ?? '')}`);
    expect(lines.join('')).not.toContain(hidden);
  });

  it('keeps what is useful beside a secret', () => {
    const { logger, parsed } = capture();
    logger.warn({ url: 'mysql://u:p@db.example:3306/tasks', queue: 'mail' }, 'x');
    expect(parsed()[0]).toMatchObject({ url: 'mysql://[redacted]@db.example:3306/tasks', queue: 'mail' });
  });

  it('writes errors with code, message, stack and causes, and leaves out what drivers add', () => {
    const { logger, lines, parsed } = capture();
    const root = Object.assign(new TypeError('root'), { code: 'ER_DUP_ENTRY', sql: 'INSERT hush', parameters: ['hush'] });
    const err = new Error('outer', { cause: root });
    logger.error({ err }, 'It failed.');
    expect(parsed()[0]?.['err']).toMatchObject({
      type: 'Error',
      message: 'outer',
      cause: { type: 'TypeError', code: 'ER_DUP_ENTRY', message: 'root' },
    });
    expect((parsed()[0]?.['err'] as { stack: string }).stack).toContain('logger.spec');
    expect(lines.join('')).not.toContain('hush');
  });

  it('survives cycles of causes, throwing getters, BigInt and dates that are none', () => {
    const { logger, parsed } = capture();
    const err: Error & { cause?: unknown } = new Error('loop');
    err.cause = err;
    const hostile = Object.defineProperty({}, 'x', {
      enumerable: true,
      get: () => {
        throw new Error('no');
      },
    });
    logger.error(
      { err, hostile, big: 10n ** 30n, date: new Date(Number.NaN), at: new Date(0), data: Buffer.from('abc'), fn: () => 1 },
      'x',
    );
    expect(parsed()[0]).toMatchObject({
      err: { cause: '[circular]' },
      hostile: { x: '[unreadable]' },
      big: (10n ** 30n).toString(),
      date: '[invalid date]',
      at: '1970-01-01T00:00:00.000Z',
      data: '[3 bytes]',
      fn: '[function]',
    });
  });

  it('cuts long texts and bounds wide and deep fields', () => {
    const { logger, lines, parsed } = capture();
    const wide: unknown = Array.from({ length: 100 }, () => Array.from({ length: 100 }, () => Array.from({ length: 100 }, () => 'x')));
    logger.info({ long: 'a'.repeat(1_000_000), wide, deep: JSON.parse('['.repeat(50) + ']'.repeat(50)) as unknown }, 'm'.repeat(5_000));
    expect(lines[0]?.length).toBeLessThan(20_000);
    expect((parsed()[0]?.['long'] as string).length).toBeLessThan(2_100);
    expect((parsed()[0]?.['msg'] as string).length).toBeLessThan(2_100);
  });

  it.each(['json', 'pretty'] as const)('lets no control character break a line or drive a terminal (%s)', (format) => {
    const { logger, lines } = capture({ format });
    logger.info({ name: 'a\nINFO forged\u001b[31m\u2028x', 'key\n': 1 }, 'b\r\nINFO forged\u0007');
    expect(lines).toHaveLength(1);
    expect(lines[0]).not.toMatch(/^INFO forged/m);
    expect(lines[0]?.trimEnd()).not.toMatch(/[\u0000-\u0009\u000b-\u001f\u007f-\u009f\u2028]/);
  });

  it('indents every line of a stack on a terminal, so that none can pass for an event', () => {
    const { logger, lines } = capture({ format: 'pretty' });
    logger.error({ err: new Error('x\n[12:00:00.000] INFO: forged') }, 'It failed.');
    expect(lines.join('')).toContain('It failed.');
    expect(lines.join('')).not.toMatch(/^\[12:00:00\.000\] INFO: forged/m);
  });

  it('makes one parsable line of anything', () => {
    fc.assert(
      fc.property(fc.dictionary(fc.string(), fc.anything()), fc.string(), (fields, message) => {
        const { logger, lines } = capture();
        logger.info(fields, message);
        expect(lines).toHaveLength(1);
        expect(lines[0]?.indexOf('\n')).toBe((lines[0]?.length ?? 0) - 1);
        expect(() => JSON.parse(lines[0] ?? '') as unknown).not.toThrow();
      }),
      { numRuns: 300 },
    );
  });
});

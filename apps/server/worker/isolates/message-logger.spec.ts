import { describe, expect, it } from '@jest/globals';
import { MessageLogger } from './message-logger.js';
import type { Report } from './messages.js';

type Logged = Extract<Report, { type: 'logged' }>;

function opened() {
  const sent: Logged[] = [];
  const clock = { now: 1_000 };
  const logger = new MessageLogger({ send: (report) => sent.push(report as Logged) }, 'k', () => clock.now);
  return { sent, clock, logger };
}

describe('MessageLogger', () => {
  it('sends a line with its fields, errors included', () => {
    const { sent, logger } = opened();
    logger.warn({ page: 3, err: new Error('shown', { cause: new Error('why') }) }, 'A line.');
    expect(sent).toMatchObject([{ type: 'logged', key: 'k', level: 'warn', message: 'A line.' }]);
    expect(JSON.parse(sent[0]!.fields)).toMatchObject({ page: 3, err: { message: 'shown', cause: { message: 'why' } } });
  });

  it('cuts what is too long and survives what cannot be written', () => {
    const { sent, logger } = opened();
    const circular: Record<string, unknown> = {};
    circular['self'] = circular;
    logger.info({ text: 'x'.repeat(10_000) }, 'm'.repeat(5_000));
    logger.info(circular, 'circular');
    expect(sent.map(({ fields }) => JSON.parse(fields) as unknown)).toEqual([{ fields: '[too large]' }, { fields: '[not readable]' }]);
    expect(sent[0]!.message).toHaveLength(2_048);
  });

  it('sends a bounded number of lines a second and says how many it left out', () => {
    const { sent, clock, logger } = opened();
    for (let line = 0; line < 1_000; line += 1) logger.info({}, 'again');
    expect(sent).toHaveLength(200);
    clock.now += 1_000;
    logger.info({}, 'later');
    expect(sent.slice(200).map(({ message, fields }) => [message, fields])).toEqual([
      ['Lines of the handler were left out: it logs too fast.', '{"dropped":800}'],
      ['later', '{}'],
    ]);
  });
});

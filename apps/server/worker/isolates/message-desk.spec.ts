import { describe, expect, it } from '@jest/globals';
import { describeFailure, PermanentError } from '@app/handlers';
import { MessageDesk } from './message-desk.js';
import type { DeskAnswer, Report } from './messages.js';

type Asked = Extract<Report, { type: 'asked' }>;

function opened(deskMs = 60_000) {
  const sent: Asked[] = [];
  const desk = new MessageDesk({ send: (report) => sent.push(report as Asked) }, { key: 'k', checkpointBytesMax: 20, deskMs });
  const answer = (index: number, more: Partial<DeskAnswer> = {}): void => {
    desk.take({ type: 'answer', key: 'k', ask: sent[index]!.ask, found: null, failure: null, ...more });
  };
  return { sent, desk, answer };
}

describe('MessageDesk', () => {
  it('gives each question its own answer, in whatever order they come', async () => {
    const { sent, desk, answer } = opened();
    const first = desk.register('lock', 'a');
    const second = desk.register('lock', 'b');
    answer(1, { found: { id: '2', kind: 'lock', ref: 'b' } });
    answer(0, { found: { id: '1', kind: 'lock', ref: 'a' } });
    expect([(await first).id, (await second).id]).toEqual(['1', '2']);
    expect(sent.map(({ wanted }) => wanted)).toEqual([
      { what: 'register', kind: 'lock', ref: 'a' },
      { what: 'register', kind: 'lock', ref: 'b' },
    ]);
  });

  it('rejects as the worker did', async () => {
    const { desk, answer } = opened();
    const saving = desk.checkpoint({ page: 1 });
    answer(0, { failure: describeFailure(new PermanentError('no', { code: 'lease-lost' })) });
    await expect(saving).rejects.toMatchObject({ code: 'lease-lost', retryable: false, message: 'no' });
  });

  it('measures a checkpoint before it is sent', async () => {
    const { sent, desk } = opened();
    await expect(desk.checkpoint('x'.repeat(20))).rejects.toMatchObject({ code: 'checkpoint-too-large', retryable: false });
    await expect(desk.checkpoint(1n)).rejects.toMatchObject({ code: 'checkpoint-not-serialisable' });
    expect(sent).toEqual([]);
  });

  it('does not wait for ever', async () => {
    await expect(opened(1).desk.release('1')).rejects.toMatchObject({ code: 'not-stored', retryable: true });
  });

  it('holds a bounded number of questions', async () => {
    const { sent, desk } = opened();
    for (let count = 0; count < 1_000; count += 1) void desk.progress(0, '');
    await expect(desk.progress(1, '')).rejects.toMatchObject({ code: 'not-stored' });
    expect(sent).toHaveLength(1_000);
    desk.close();
  });

  it('takes nothing when the attempt is over', async () => {
    const { sent, desk } = opened();
    desk.close();
    await expect(desk.checkpoint(1)).rejects.toMatchObject({ code: 'attempt-over' });
    expect(sent).toEqual([]);
  });
});

import { describe, expect, it } from '@jest/globals';
import { InvalidKey, InvalidToken, ScopeEscalation, TokenExpired } from '@app/auth';
import { Clock } from '@app/lifecycle';
import { isRefusal, Refusals } from './refusals.js';

class HandClock extends Clock {
  time = 0;
  now(): number {
    return this.time;
  }
  monotonic(): number {
    return this.time;
  }
}

function listening() {
  const lines: Record<string, unknown>[] = [];
  const write = (fields: Readonly<Record<string, unknown>>, msg: string): void => void lines.push({ ...fields, msg });
  const clock = new HandClock();
  return { lines, clock, refusals: new Refusals({ info: write, warn: write }, clock) };
}

describe('refused credentials', () => {
  it('are told with their reason, by kind', () => {
    const { lines, refusals } = listening();
    for (const error of [new InvalidToken('bad signature'), new InvalidKey('it is revoked', 'k1'), new ScopeEscalation('no', ['admin'])]) {
      expect(isRefusal(error)).toBe(true);
      refusals.note(error, 'r1');
    }
    expect(lines).toEqual([
      expect.objectContaining({
        code: 'invalid-token',
        reason: 'bad signature',
        ofThisKind: 1,
        requestId: 'r1',
        msg: 'a token was refused',
      }),
      expect.objectContaining({ code: 'invalid-token', reason: 'API key: it is revoked', keyId: 'k1', ofThisKind: 1 }),
      expect.objectContaining({ code: 'scope-escalation', wanted: ['admin'] }),
    ]);
    expect(isRefusal(new Error('other'))).toBe(false);
  });

  it('are all counted and not all written, so a storm does not fill the log', () => {
    const { lines, clock, refusals } = listening();
    for (let each = 0; each < 1_000; each += 1) refusals.note(new TokenExpired(), 'r');
    expect(lines).toHaveLength(10);
    for (; clock.time < 60_000; clock.time += 100) refusals.note(new TokenExpired(), 'r');
    expect(lines.length).toBeLessThanOrEqual(10 + 60);
    clock.time += 1_000;
    refusals.note(new TokenExpired(), 'r');
    expect(lines.at(-1)?.['ofThisKind']).toBe(1_601);
    expect(lines.reduce((sum, line) => sum + 1 + Number(line['leftOut']), 0)).toBe(1_601);
  });
});

import { describe, expect, it } from '@jest/globals';
import { activity, restedSince } from './activity.js';

const of = (...resources: string[]) => activity(resources);

describe('activity', () => {
  it('counts what acts by itself and leaves out open connections', () => {
    expect([...of('Timeout', 'TCPSocketWrap', 'Timeout', 'PipeWrap', 'ProcessWrap')]).toEqual([
      ['Timeout', 2],
      ['ProcessWrap', 1],
    ]);
  });

  it('sees a timer that was really left', () => {
    const before = activity().get('Timeout') ?? 0;
    const timer = setTimeout(() => undefined, 60_000);
    expect(activity().get('Timeout')).toBe(before + 1);
    timer.unref();
    expect(activity().get('Timeout') ?? 0).toBe(before);
    clearTimeout(timer);
  });
});

describe('restedSince', () => {
  it.each([
    ['the same', of('Timeout'), of('Timeout'), true],
    ['less', of('Timeout', 'Immediate'), of('Timeout'), true],
    ['one more', of('Timeout'), of('Timeout', 'Timeout'), false],
    ['another kind', of('Timeout'), of('ProcessWrap'), false],
  ])('%s', async (_, before, after, rested) => {
    expect(await restedSince(before, () => after)).toBe(rested);
  });

  it('gives what is ending one more turn', async () => {
    const looks = [of('FSReqPromise'), of()];
    expect(await restedSince(of(), () => looks.shift() ?? of())).toBe(true);
  });
});

import { PassThrough, Writable } from 'node:stream';
import { describe, expect, it } from '@jest/globals';
import { endMark, EndMarks, markedKey } from './end-mark.js';

describe('EndMarks', () => {
  it('are read as what they are, on both outputs, also where a handler has replaced the writing', () => {
    const streams = [new PassThrough(), new PassThrough()];
    const marks = new EndMarks(streams);
    for (const stream of streams) stream.write = () => true;
    marks.write('t 1');
    for (const stream of streams) expect(String(stream.read())).toBe(endMark('t 1'));
    expect(endMark('t 1').split('\n').map(markedKey)).toEqual([null, 't 1', null]);
  });

  it('cannot be written where an output was closed', () => {
    const streams = [new PassThrough(), new PassThrough()];
    const marks = new EndMarks(streams);
    expect(marks.isOpen).toBe(true);
    streams[1]!.end();
    expect(marks.isOpen).toBe(false);
  });

  it('wait for what was written before, and not for ever', async () => {
    let take: (() => void) | null = null;
    const slow = new Writable({
      write: (_chunk, _encoding, taken) => {
        take = taken;
      },
    });
    const marks = new EndMarks([slow]);
    await marks.sent();
    expect(take).toBeNull();
    slow.write('a line');
    await marks.sent();
    expect(slow.writableLength).toBe(6);
  });
});

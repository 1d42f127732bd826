import { PassThrough } from 'node:stream';
import { describe, expect, it } from '@jest/globals';
import { until } from '../../../../test/support/until.js';
import { endMark } from './end-mark.js';
import { Output } from './output.js';

function opened() {
  const stream = new PassThrough();
  const lines: string[] = [];
  const output = new Output(stream, (line) => lines.push(line));
  return { stream, lines, output };
}

describe('Output', () => {
  it('makes lines of pieces, of a last one without an end, and of letters cut in two', async () => {
    const { stream, lines } = opened();
    const euro = Buffer.from('€');
    stream.write('one\nt');
    stream.write(Buffer.concat([Buffer.from('wo '), euro.subarray(0, 1)]));
    stream.write(euro.subarray(1));
    stream.end('\n\nthree');
    await until(() => lines.length === 3);
    expect(lines).toEqual(['one', 'two €', 'three']);
  });

  it('cuts a line that does not end and keeps the tail', async () => {
    const { stream, lines, output } = opened();
    for (let piece = 0; piece < 100; piece += 1) stream.write('x'.repeat(1_000));
    stream.end('the end');
    await until(() => lines.length === 1);
    expect(lines[0]!.length).toBeLessThanOrEqual(2_000);
    expect(output.tail).toHaveLength(8_192);
    expect(output.tail.endsWith('the end')).toBe(true);
  });

  it('leaves out what comes too fast, says how much, and reads on', async () => {
    const { stream, lines } = opened();
    stream.write('again\n'.repeat(1_000));
    await until(() => lines.length === 51);
    expect(lines[50]).toBe('[950 lines were left out]');
    stream.end('later\n');
    await until(() => lines.at(-1) === 'later');
  });

  it('carries nothing over an end mark, and shows none', async () => {
    const { stream, lines, output } = opened();
    let ended = false;
    void output.ended('t 1').then(() => {
      ended = true;
    });
    stream.write('whole\nJavaScript heap out of mem');
    await until(() => lines.length === 1);
    expect(ended).toBe(false);
    stream.write(endMark('t 1').slice(0, 5));
    stream.write(endMark('t 1').slice(5));
    await until(() => ended);
    expect(lines).toEqual(['whole', 'JavaScript heap out of mem']);
    expect(output.tail).toBe('');
    stream.end('next\n');
    await until(() => lines.length === 3);
    expect(lines[2]).toBe('next');
  });

  it('knows an end mark that came before it was asked for, and no other', async () => {
    const { stream, lines, output } = opened();
    stream.write(`${'again\n'.repeat(60)}last${endMark('t 1')}`);
    await until(() => lines.length === 51);
    // What was left out is said before the end, not to the next attempt.
    expect(lines[50]).toBe('[11 lines were left out]');
    await output.ended('t 1');
    let other = false;
    void output.ended('t 2').then(() => {
      other = true;
    });
    stream.write('more\n');
    await until(() => lines.length === 52);
    expect(other).toBe(false);
    stream.end();
    await until(() => other);
  });

  it('stops reading for a while where there is very much', async () => {
    const { stream } = opened();
    stream.write(Buffer.alloc(300_000, 'x'));
    await until(() => stream.isPaused());
    await until(() => !stream.isPaused());
    stream.end();
  });
});

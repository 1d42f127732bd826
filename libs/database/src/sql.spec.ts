import { describe, expect, it } from '@jest/globals';
import { constant, join, list, rows, sql } from './sql.js';

const nasty = `'; DROP TABLE tasks; -- \u0000"\\`;

describe('the sql tag', () => {
  it('binds every value and splices none', () => {
    const id = Buffer.alloc(16, 7);
    expect(sql`SELECT * FROM t WHERE a = ${nasty} AND b = ${1} AND c = ${null} AND d = ${id}`).toEqual({
      text: 'SELECT * FROM t WHERE a = ? AND b = ? AND c = ? AND d = ?',
      values: [nasty, 1, null, id],
    });
  });

  it('takes a fragment in with its values, in order', () => {
    const inner = sql`b = ${2}`;
    expect(sql`SELECT ${1} WHERE ${inner} AND c = ${3}`).toEqual({ text: 'SELECT ? WHERE b = ? AND c = ?', values: [1, 2, 3] });
  });

  it('of no value is plain text', () => {
    expect(sql`SELECT 1`).toEqual({ text: 'SELECT 1', values: [] });
    expect(sql``).toEqual({ text: '', values: [] });
  });

  it('survives more values than a call has arguments', () => {
    const many = Array.from({ length: 200_000 }, (_value, index) => index);
    expect(sql`x IN (${list(many)})`.values).toHaveLength(200_000);
    expect(rows(many.map((value) => [value])).values).toHaveLength(200_000);
  });
});

describe('a constant', () => {
  it('stands in the text, where no mark and no quote can come from it', () => {
    const bytes = Buffer.from(`?'${String.fromCharCode(0)}`);
    expect(rows([[1, constant(bytes)]])).toEqual({ text: `(?, X'3f2700')`, values: [1] });
  });
});

describe('a list', () => {
  it('has one mark per value', () => {
    expect([list(['a']).text, list([1, 2, 3]).text]).toEqual(['?', '?, ?, ?']);
    expect(list([1, null, nasty]).values).toEqual([1, null, nasty]);
  });

  it('of nothing is refused, because "no ids" must not mean "all"', () => {
    expect(() => list([])).toThrow(RangeError);
  });
});

describe('the rows of an insert', () => {
  it('are values and fragments, in order', () => {
    expect(
      rows([
        [1, sql`now() + ${5}`, 'a'],
        [2, sql`now()`, null],
      ]),
    ).toEqual({ text: '(?, now() + ?, ?), (?, now(), ?)', values: [1, 5, 'a', 2, null] });
  });

  it('of nothing are refused', () => {
    expect(() => rows([])).toThrow(RangeError);
  });
});

describe('joined fragments', () => {
  it('keep their order', () => {
    expect(join([sql`a = ${1}`, sql`b = ${2}`], ' OR ')).toEqual({ text: 'a = ? OR b = ?', values: [1, 2] });
    expect(join([], ' OR ')).toEqual({ text: '', values: [] });
  });
});

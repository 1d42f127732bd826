import { describe, expect, it } from '@jest/globals';
import { format } from 'mysql2';
import { DatabaseError } from './failures.js';
import { render } from './render.js';
import { join, list, rows, sql, type SqlValue } from './sql.js';

const nasty = `'; DROP TABLE tasks; -- ? \u0000\n\r\u001a"\\`;

describe('a rendered statement', () => {
  it.each<[string, SqlValue]>([
    ['a text that would like to end its quotes', nasty],
    ['an empty text', ''],
    ['a text beyond ASCII', 'naïve 🐢 \u2028'],
    ['a mark', '?'],
    ['a whole number', -7],
    ['a fraction', 0.1],
    ['a large number', 2 ** 53],
    ['nothing', null],
    ['bytes', Buffer.from([0, 39, 92, 255])],
    ['no bytes', Buffer.alloc(0)],
  ])('has %s in it as the driver would write it', (_, value) => {
    const statement = sql`SELECT ${value} AS a, ${1} AS b, ${value}`;
    expect(render([statement])).toBe(format(statement.text, [...statement.values]));
  });

  it('leaves double quotes alone, and nothing else that the driver would change', () => {
    const text = (value: string): string => render([sql`${value}`]);
    expect(text('{"a":"?"}')).toBe(`'{"a":"?"}'`);
    for (let code = 0; code < 0x180; code += 1) {
      const character = String.fromCharCode(code);
      const isPlain = character === '"' || format('?', [character]) === `'${character}'`;
      expect(text(`"${character}`)).toBe(isPlain ? `'"${character}'` : format('?', [`"${character}`]));
    }
  });

  it('is the same for many statements with lists and rows', () => {
    const statements = [
      sql`START TRANSACTION`,
      sql`SELECT ${list([1, nasty])}`,
      sql`INSERT INTO t VALUES ${rows([
        ['a', null],
        [nasty, sql`1 + ${2}`],
      ])}`,
    ];
    const { text, values } = join(statements, ';\n');
    expect(render(statements)).toBe(format(text, [...values]));
  });

  it.each<[string, unknown]>([
    ['a number that is none', Number.NaN],
    ['a number without an end', Number.POSITIVE_INFINITY],
    ['a list that would write itself', [`x'; DROP TABLE t; -- `]],
    ['an object', { toString: () => `x'; DROP TABLE t; -- ` }],
    ['a truth', true],
    ['bytes of another kind', new Uint8Array([1, 39])],
    ['nothing at all', undefined],
  ])('has no place for %s', (_, value) => {
    expect(() => render([{ text: 'SELECT ?', values: [value as SqlValue] }])).toThrow(DatabaseError);
  });

  it('is refused where marks and values do not match', () => {
    expect(() => render([{ text: 'SELECT ?', values: [] }])).toThrow(DatabaseError);
    expect(() => render([{ text: 'SELECT 1', values: [1] }])).toThrow(DatabaseError);
  });
});

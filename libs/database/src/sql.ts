/**
 * SQL as a value: a text with `?` and the values for it, made by the `sql` tag. Whatever is interpolated becomes a bound
 * value unless it is itself such a fragment, so there is no way to splice a string into a statement by accident.
 */

export type SqlValue = string | number | Buffer | null;

export interface Sql {
  readonly text: string;
  readonly values: readonly SqlValue[];
}

function isSql(part: SqlValue | Sql): part is Sql {
  return typeof part === 'object' && part !== null && !Buffer.isBuffer(part) && 'text' in part && 'values' in part;
}

/** Builds a statement or a fragment of one. */
export function sql(strings: TemplateStringsArray, ...parts: readonly (SqlValue | Sql)[]): Sql {
  let text = strings[0] ?? '';
  const values: SqlValue[] = [];
  parts.forEach((part, index) => {
    if (isSql(part)) {
      text += part.text;
      for (const value of part.values) values.push(value);
    } else {
      text += '?';
      values.push(part);
    }
    text += strings[index + 1] ?? '';
  });
  return { text, values };
}

/** A value as part of the text, for one that would otherwise be written anew in each of many rows. */
export function constant(bytes: Buffer): Sql {
  return { text: `X'${bytes.toString('hex')}'`, values: [] };
}

/** `?, ?, ?` for IN lists. An empty list is a programming error: IN () is no SQL, and "no ids" must not mean "all". */
export function list(values: readonly SqlValue[]): Sql {
  if (values.length === 0) throw new RangeError('an SQL list needs at least one value');
  return { text: `?${', ?'.repeat(values.length - 1)}`, values };
}

/** `(?, ?), (?, ?)` for multi-row inserts; a cell may be a fragment, such as the database's now(). */
export function rows(table: readonly (readonly (SqlValue | Sql)[])[]): Sql {
  if (table.length === 0) throw new RangeError('an SQL insert needs at least one row');
  const values: SqlValue[] = [];
  let text = '';
  for (const row of table) {
    let cells = '';
    for (const cell of row) {
      if (cells !== '') cells += ', ';
      if (isSql(cell)) {
        cells += cell.text;
        for (const value of cell.values) values.push(value);
      } else {
        cells += '?';
        values.push(cell);
      }
    }
    text += text === '' ? `(${cells})` : `, (${cells})`;
  }
  return { text, values };
}

/** Puts fragments side by side. */
export function join(parts: readonly Sql[], separator: string): Sql {
  return { text: parts.map((part) => part.text).join(separator), values: parts.flatMap((part) => part.values) };
}

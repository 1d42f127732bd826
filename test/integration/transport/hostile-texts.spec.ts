/**
 * The hot path sends text, several statements in one round trip. Whatever a text holds, it must come back as it went in, and
 * nothing else may happen: in every text column there is, on every engine, and through the stores.
 */
import { expect, it } from '@jest/globals';
import { sql } from '@app/database';
import { bytesOf } from '../../support/store.js';
import { onEveryStore } from '../../support/store-suite.js';

const BACKSLASH = '\\';
const NARROW = [
  `'; DROP TABLE tasks; -- `,
  `"; DROP TABLE tasks; -- `,
  `') ON DUPLICATE KEY UPDATE tenant = 'x'; -- `,
  `' OR '1'='1`,
  `${BACKSLASH}'; DELETE FROM tasks; -- `,
  `${BACKSLASH}${BACKSLASH}'; DELETE FROM tasks; #`,
  BACKSLASH,
  `a${BACKSLASH}`,
  `${BACKSLASH}0${BACKSLASH}n${BACKSLASH}%${BACKSLASH}_${BACKSLASH}Z`,
  '/*! DROP TABLE tasks */',
  '?, ??, :name, @now, $1, {0}',
  '; COMMIT; START TRANSACTION',
  '%_%',
  '`tasks`',
  'line\nfeed\r\ttab',
  '\u0008\u001a\u007f',
  'x\u0000y',
  'trailing ',
  ' leading',
  '',
  '0',
  'NULL',
  '0x27',
];
const WIDE = [
  'ünïcödé',
  '文字',
  '🤖👩‍👩‍👧',
  'e\u0301',
  '\u202eevil',
  '\u2028\u2029',
  '\ufeffbom',
  '\u00bf\u0027 OR 1=1',
  '縗\u5c27',
  '\uffff',
  'ʼ; DROP',
];

const TEXTS = [...NARROW, ...WIDE];

onEveryStore('hostile texts', (current, backend) => {
  /** The one engine that cannot keep a NUL shows that something was there. */
  const kept = (text: string): string => (backend.name === 'sqlite' ? text.replaceAll('\0', '\uFFFD') : text);

  it('come back from every text column as they went in', async () => {
    const store = current();
    const columns = store.dataSource.entityMetadatas.flatMap(({ tableName, columns: all }) =>
      all.filter(({ type }) => type === 'varchar' || type === 'mediumtext' || type === 'text').map((column) => ({ tableName, column })),
    );
    expect(columns.length).toBeGreaterThan(25);
    for (const { tableName, column } of columns) {
      const name = column.databaseName;
      const length = column.length === '' ? Number.POSITIVE_INFINITY : Number(column.length);
      // Of the same type, length and character set, and without the rules of the table.
      await store.raw.execute({ text: `CREATE TABLE hostile AS SELECT 0 AS k, ${name} AS v FROM ${tableName} WHERE 1 = 0`, values: [] });
      const texts = TEXTS.filter((text) => text.length <= length);
      await store.raw.batch(texts.map((text, index) => sql`INSERT INTO hostile (k, v) VALUES (${index}, ${text})`));
      const found = await store.raw.query<{ v: string }>(sql`SELECT v FROM hostile ORDER BY k`);
      expect({ column: `${tableName}.${name}`, texts: found.map(({ v }) => v) }).toEqual({
        column: `${tableName}.${name}`,
        texts: texts.map(kept),
      });
      await store.raw.execute(sql`DROP TABLE hostile`);
    }
  });

  it.each(TEXTS)('go through the stores unchanged and change nothing else: %j', async (text) => {
    const store = current();
    const worker = await store.hire();
    const bystander = await store.add({ payload: '"bystander"' });
    const failing = await store.add({ payload: JSON.stringify({ [text]: text }), metadata: { [text]: text }, createdBy: 'someone' });
    const claimed = await store.claim(worker, failing.id);
    expect(claimed.payload).toBe(JSON.stringify({ [text]: text }));
    expect(await store.progress.write(worker, claimed, 0.5, text)).toBe(true);
    expect(await store.checkpoints.write(worker, claimed, 'echo', JSON.stringify(text))).toBe(true);
    expect(await store.checkpoints.read(bytesOf(failing.id), 'echo')).toBe(JSON.stringify(text));
    await store.settle(worker, claimed, {
      kind: 'failed',
      reason: 'permanent_error',
      error: { code: 'oops', message: text },
      timedOut: false,
    });
    const [attempt] = await store.reader.attempts('acme', failing.id);
    expect(attempt?.error).toEqual({ code: 'oops', message: kept(text) });
    const view = await store.reader.get('acme', failing.id);
    expect(view).toMatchObject({ payload: { [text]: text }, metadata: { [text]: text }, lastError: { message: kept(text) } });
    await store.retrier.retry('acme', failing.id, 'someone', { reason: text });
    const { items } = await store.audit.list('acme', {}, { limit: 10, cursor: null });
    expect(items.map(({ actor, reason }) => ({ actor, reason }))).toEqual([{ actor: 'someone', reason: kept(text) }]);
    expect(await store.reader.list(text, {}, { limit: 10, cursor: null })).toEqual({ items: [], nextCursor: null });
    for (const filter of [{ queue: text }, { name: text }, { tag: text }]) {
      expect((await store.reader.list('acme', filter, { limit: 10, cursor: null })).items).toEqual([]);
    }
    expect(await store.reader.get('acme', bystander.id)).toEqual(bystander);
    expect(await store.count(sql`tasks`)).toBe(2);
  });
});

import { describe, expect, it } from '@jest/globals';
import { dialectOf, type Engine } from './dialect.js';

const engines: readonly Engine[] = ['mysql', 'mariadb', 'sqlite'];

describe.each(engines)('the dialect of %s', (engine) => {
  const dialect = dialectOf(engine);

  it('knows its name, and binds no value in its fragments', () => {
    expect(dialect.engine).toBe(engine);
    const fragments = [dialect.now, dialect.fixedNow, dialect.lock, dialect.lockFree, dialect.byPrimary, dialect.by('ix')];
    expect(fragments.flatMap(({ values }) => values)).toEqual([]);
  });

  it('locks rows where there are rows to lock', () => {
    const isServer = engine !== 'sqlite';
    expect([dialect.lock.text, dialect.lockFree.text].map((text) => text !== '')).toEqual([isServer, isServer]);
    expect(dialect.fixNow).toHaveLength(isServer ? 1 : 0);
  });
});

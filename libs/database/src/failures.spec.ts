import { describe, expect, it } from '@jest/globals';
import { NotFound, Unavailable } from '@app/errors';
import {
  breaksCheck,
  CommitUnknown,
  DatabaseError,
  describe as explain,
  isDisconnect,
  isReadOnly,
  isTransient,
  LockTimeout,
} from './failures.js';

const failure = (fields: object, message = `secret of SELECT * FROM tasks`): Error => Object.assign(new Error(message), fields);

describe('the driver says', () => {
  it.each([
    ['a deadlock', { errno: 1213 }],
    ['a lock timeout', { errno: 1205 }],
    ['a changed snapshot', { errno: 1020 }],
    ['a certification that others won', { errno: 3101 }],
    ['a busy file', { errcode: 5 }],
    ['a stale snapshot of the file', { errcode: 517 }],
    ['a locked table', { errcode: 6 }],
  ])('%s: it may succeed when started again', (_what, fields) => {
    expect(isTransient(failure(fields))).toBe(true);
    expect(explain(failure(fields))).toBeInstanceOf(LockTimeout);
  });

  it.each([
    ['a lost connection', { code: 'PROTOCOL_CONNECTION_LOST', fatal: true }],
    ['an answer that did not come', { code: 'PROTOCOL_SEQUENCE_TIMEOUT' }],
    ['a refused connection', { code: 'ECONNREFUSED', errno: -111 }],
    ['a reset', { code: 'ECONNRESET', errno: -104 }],
    ['a name that does not resolve', { code: 'ENOTFOUND' }],
    ['a fatal error', { errno: 4031, fatal: true }],
    ['a killed connection', { code: 'ER_CONNECTION_KILLED', errno: 1927 }],
    ['a session that was ended for its silence', { code: 'ER_CLIENT_INTERACTION_TIMEOUT', errno: 4031 }],
    ['a shutdown', { code: 'ER_SERVER_SHUTDOWN', errno: 1053 }],
  ])('%s: the connection is dead and the database away', (_what, fields) => {
    expect(isDisconnect(failure(fields))).toBe(true);
    expect(explain(failure(fields))).toBeInstanceOf(Unavailable);
    expect(isTransient(failure(fields))).toBe(false);
  });

  it.each([
    `Can't add new command when connection is in closed state`,
    'Connection lost: The server closed the connection.',
    'Pool is closed.',
  ])('"%s", without a code: the connection is dead', (message) => {
    expect(isDisconnect(new Error(message))).toBe(true);
  });

  it.each([
    ['too many connections', { errno: 1040 }],
    ['a full disk', { errno: 1021 }],
    ['a full table', { errno: 1114 }],
    ['a file that could not be written', { errno: 1026 }],
    ['a file system without space', { errno: 20 }],
    ['an engine without space', { errno: 1030 }],
    ['a read-only server', { errno: 1290 }],
    ['a read-only engine', { errno: 1836 }],
    ['a password that was changed', { errno: 1045 }],
    ['a member that left its group', { errno: 1047 }],
    ['a COMMIT that failed half-way', { errno: 1180 }],
    ['no memory', { errno: 1037 }],
    ['a statement that ran too long on MariaDB', { errno: 1969 }],
    ['a statement that ran too long on MySQL', { errno: 3024 }],
    ['an interrupted statement', { errno: 1317 }],
    ['a full file', { errcode: 13 }],
    ['an error of the disk', { errcode: 10 | (3 << 8) }],
    ['a read-only file', { errcode: 8 }],
  ])('%s: the database is away, the connection is not dead', (_what, fields) => {
    expect(isDisconnect(failure(fields))).toBe(false);
    expect(explain(failure(fields))).toBeInstanceOf(Unavailable);
    expect(explain(failure(fields))).not.toBeInstanceOf(LockTimeout);
  });

  it.each([1290, 1792, 1836, 1874])('%i: this server takes no writes any more', (errno) => {
    expect(isReadOnly(failure({ errno }))).toBe(true);
    expect(isReadOnly(failure({ errno: errno + 1 }))).toBe(false);
  });

  it('that too many are waiting for a connection: the database is away', () => {
    expect(explain(new Error('Queue limit reached.'))).toBeInstanceOf(Unavailable);
  });

  it.each([
    [true, { errno: 1062 }],
    [true, { errcode: 1555 }],
    [true, { errcode: 2067 }],
    [false, { errno: 1406 }],
    [false, { errno: 3819 }],
    [false, { errno: 1064 }],
    [false, { errcode: 275 }],
    [false, { errcode: 1 }],
  ])('duplicate is %s for %j', (duplicate, fields) => {
    const described = explain(failure(fields));
    expect(described).toBeInstanceOf(DatabaseError);
    expect(described).toMatchObject({ duplicate, kind: 'internal' });
  });
});

describe('a described failure', () => {
  it.each([{ errno: 1213 }, { errno: 1062 }, { code: 'ECONNREFUSED' }])(
    'of %j keeps the words of the driver for the log alone',
    (fields) => {
      const cause = failure(fields);
      const described = explain(cause);
      expect(described.cause).toBe(cause);
      expect(described.message).not.toContain('SELECT');
    },
  );

  it('that is typed already passes unchanged', () => {
    for (const typed of [new NotFound(), new CommitUnknown(new Error('x')), new Unavailable('x')]) expect(explain(typed)).toBe(typed);
  });

  it('that is a mistake of our own keeps its name', () => {
    const mistake = new TypeError('undefined is not a function');
    expect(explain(mistake)).toBe(mistake);
  });

  it.each([null, undefined, 'text', 7])('may have been anything: %p', (thrown) => {
    expect(explain(thrown)).toBeInstanceOf(DatabaseError);
  });

  it('of a lock or a lost answer tells when to come back', () => {
    expect(explain(failure({ errno: 1205 }))).toMatchObject({ retryAfterMs: 1_000 });
    expect(new CommitUnknown(null).retryAfterMs).toBe(2_000);
    expect(new CommitUnknown(null)).toBeInstanceOf(Unavailable);
    // Most calls take no key: the advice is for both.
    expect(new CommitUnknown(null).message).toMatch(/with an Idempotency-Key.*without one/i);
  });
});

describe('a broken CHECK constraint', () => {
  it.each([
    ['MySQL', { errno: 3819 }, "Check constraint 'ck_a_b' is violated."],
    ['MariaDB', { errno: 4025 }, 'CONSTRAINT `ck_a_b` failed for `db`.`a`'],
    ['SQLite', { errcode: 275 }, 'CHECK constraint failed: ck_a_b'],
  ])('is known by its name, as %s tells it', (_engine, fields, message) => {
    const error = explain(failure(fields, message));
    expect([breaksCheck(error, 'ck_a_b'), breaksCheck(error, 'ck_other')]).toEqual([true, false]);
    expect(breaksCheck(explain(failure({ errno: 1062 }, 'Duplicate entry ck_a_b')), 'ck_a_b')).toBe(false);
    expect(breaksCheck(new Error(message), 'ck_a_b')).toBe(false);
  });
});

/**
 * What a driver's error means for the caller: may it be repeated, was it a duplicate, is the database away. The driver's own
 * words stay in `cause`, for the log.
 */
import { TaskRunnerError, Unavailable } from '@app/errors';

/** The connection died while COMMIT was under way: the change may or may not be there. Re-read before anything else. */
export class CommitUnknown extends Unavailable {
  constructor(cause: unknown) {
    const advice = 'With an Idempotency-Key, repeat the request: it cannot happen twice. Without one, read what it was to change first.';
    super(`The database did not confirm the change. ${advice}`, { cause });
  }
}

/** A statement the database refused for a reason that repeating will not cure. */
export class DatabaseError extends TaskRunnerError {
  constructor(
    cause: unknown,
    readonly duplicate: boolean,
  ) {
    super('internal', 'database-error', 'The database refused a statement.', { cause });
  }
}

/** A lock was not granted in time, after all retries. */
export class LockTimeout extends Unavailable {
  constructor(cause: unknown) {
    super('The database is busy with the same rows. Repeat the request shortly.', { cause, retryAfterMs: 1_000 });
  }
}

/** Deadlock, lock timeout, changed snapshot, a certification that another member of the group won. */
const TRANSIENT_NUMBERS = new Set([1213, 1205, 1020, 3101]);
const TRANSIENT_SQLITE = new Set([5, 6]);
/** The disk is full, by the many names that has: of files, tables, temporary files, engines. */
const FULL = [3, 20, 28, 1021, 1026, 1030, 1114];
/** The server was demoted, or its disk was: it refuses every write on this connection from now on. */
const READ_ONLY = new Set([1290, 1792, 1836, 1874]);
/** No memory, no thread, no connection left, or not for us: blocked, wrong password by now, wrong database, not in the group yet. */
const REFUSED = [1037, 1038, 1040, 1041, 1045, 1047, 1049, 1129, 1135, 1203, 1226];
const DENIED = new Set([1044, 1142, 1143]);
/** It was told to stop, the statement or the server, or the network failed under it. */
const INTERRUPTED = [1053, 1158, 1159, 1160, 1161, 1317, 1969, 3024, 3168, 3169];
const AWAY_NUMBERS = new Set([...FULL, ...READ_ONLY, ...REFUSED, ...INTERRUPTED]);
/** The COMMIT itself failed half-way: in the binary log, in the group. */
const COMMIT_FAILED = new Set([1180, 3100]);
const SQLITE_AWAY = new Set([8, 10, 13, 14]);
const SQLITE_DUPLICATE = new Set([1555, 2067]);
const CHECK_NUMBERS = new Set([3819, 4025]);
const SQLITE_CHECK = 275;
const DISCONNECTED = new Set([
  'PROTOCOL_CONNECTION_LOST',
  'PROTOCOL_SEQUENCE_TIMEOUT',
  'PROTOCOL_PACKETS_OUT_OF_ORDER',
  'PROTOCOL_ENQUEUE_AFTER_FATAL_ERROR',
  'ECONNREFUSED',
  'ECONNRESET',
  'ECONNABORTED',
  'EPIPE',
  'ETIMEDOUT',
  'ENOTFOUND',
  'EAI_AGAIN',
  'EHOSTUNREACH',
  'ENETUNREACH',
  'ER_SERVER_SHUTDOWN',
  'POOL_CLOSED',
]);
/** MariaDB's "Connection was killed" and MySQL's "disconnected because of inactivity", which the driver does not call fatal. */
const ENDED_BY_SERVER = new Set([1927, 4031]);
/** The pool of mysql2 gives this error no code. */
const POOL_QUEUE_FULL = 'Queue limit reached.';

interface DriverError {
  code?: unknown;
  errno?: unknown;
  errcode?: unknown;
  fatal?: unknown;
  message?: unknown;
}

const fieldsOf = (error: unknown): DriverError => (typeof error === 'object' && error !== null ? error : {});

/** A deadlock, a lock timeout or a busy file: the same work may succeed when started again. */
export function isTransient(error: unknown): boolean {
  const { errno, errcode } = fieldsOf(error);
  return TRANSIENT_NUMBERS.has(Number(errno)) || (typeof errcode === 'number' && TRANSIENT_SQLITE.has(errcode & 0xff));
}

/** The connection cannot be used any more, whatever it was doing. */
export function isDisconnect(error: unknown): boolean {
  const { code, errno, fatal, message } = fieldsOf(error);
  if (fatal === true || ENDED_BY_SERVER.has(Number(errno)) || (typeof code === 'string' && DISCONNECTED.has(code))) return true;
  return typeof message === 'string' && /closed state|connection is closed|Connection lost|Pool is closed/i.test(message);
}

/** The user has no right to do this, to this table or in this database. */
export function isDenied(error: unknown): boolean {
  return DENIED.has(Number(fieldsOf(error).errno));
}

/** The server does not take writes any more; behind the same name there may be one that does. */
export function isReadOnly(error: unknown): boolean {
  return READ_ONLY.has(Number(fieldsOf(error).errno));
}

/** No answer came: whatever lies between here and the server may have swallowed other connections as well. */
export function isSilence(error: unknown): boolean {
  return fieldsOf(error).code === 'PROTOCOL_SEQUENCE_TIMEOUT';
}

/** Whether the COMMIT failed in a way that leaves open what became of the transaction. */
export function isCommitFailure(error: unknown): boolean {
  return COMMIT_FAILED.has(Number(fieldsOf(error).errno));
}

function isDuplicate(error: unknown): boolean {
  const { errno, errcode } = fieldsOf(error);
  return Number(errno) === 1062 || (typeof errcode === 'number' && SQLITE_DUPLICATE.has(errcode));
}

/** Whether the database refused a statement because a row would have broken the named CHECK constraint. */
export function breaksCheck(error: unknown, name: string): boolean {
  if (!(error instanceof DatabaseError)) return false;
  const { errno, errcode, message } = fieldsOf(error.cause);
  const isCheck = CHECK_NUMBERS.has(Number(errno)) || errcode === SQLITE_CHECK;
  return isCheck && typeof message === 'string' && message.includes(name);
}

function isAway(error: unknown): boolean {
  const { errno, errcode, message } = fieldsOf(error);
  if (isDisconnect(error) || AWAY_NUMBERS.has(Number(errno)) || isCommitFailure(error) || message === POOL_QUEUE_FULL) return true;
  return typeof errcode === 'number' && SQLITE_AWAY.has(errcode & 0xff);
}

/** What a programming error does not have: a number or a word of the driver's own. */
function isOfDriver(error: Error): boolean {
  const { errno, errcode, code } = fieldsOf(error);
  return typeof errno === 'number' || typeof errcode === 'number' || (typeof code === 'string' && /^(ER_|PROTOCOL_|ERR_SQLITE)/.test(code));
}

/** TypeORM wraps the driver's error; the class of failure is in the wrapped one. */
export function driverErrorOf(error: unknown): unknown {
  return (error as { driverError?: unknown } | null | undefined)?.driverError ?? error;
}

/** Turns a driver's error into ours. Typed errors, and mistakes of our own inside a transaction, pass unchanged. */
export function describe(error: unknown): Error {
  if (error instanceof TaskRunnerError) return error;
  if (isTransient(error)) return new LockTimeout(error);
  if (isAway(error)) return new Unavailable('The database does not answer. Repeat the request shortly.', { cause: error });
  if (error instanceof Error && !isOfDriver(error)) return error;
  return new DatabaseError(error, isDuplicate(error));
}

/**
 * What is wrong with a Redis that works: it may throw messages away, forget them at the next synchronisation, or be too old for
 * commands that a repair needs. None of that loses a task, because the database is the truth, so none of it keeps a process from
 * starting; it costs time, and somebody should know. The words name nothing of the server, because `/health` shows them to anybody.
 */
import type { RedisConnection } from './redis-connection.js';

const KEEPS_EVERYTHING = 'noeviction';
/** The first with XAUTOCLAIM. */
const OLDEST = [6, 2] as const;

/** One sentence per thing to change, or null where all is well. Hosted servers refuse some of the questions; `onRefused` is told. */
export async function adviceFor(connection: RedisConnection, onRefused: (error: Error) => void): Promise<string | null> {
  const ask = async (...words: [string, ...string[]]): Promise<unknown> => {
    try {
      return await connection.call(...words);
    } catch (error) {
      onRefused(error as Error);
      return null;
    }
  };
  const [policy, info] = await Promise.all([ask('CONFIG', 'GET', 'maxmemory-policy'), ask('INFO')]);
  const advice = [evictionAdvice(policy), ...serverAdvice(typeof info === 'string' ? info : '')].filter((words) => words !== null);
  return advice.length === 0 ? null : advice.join(' ');
}

function evictionAdvice(answer: unknown): string | null {
  const policy: unknown = Array.isArray(answer) ? answer[1] : undefined;
  if (typeof policy !== 'string' || policy === KEEPS_EVERYTHING) return null;
  return `Redis may throw messages away: its maxmemory-policy is ${policy} and should be ${KEEPS_EVERYTHING}.`;
}

/** What the server says of itself, as lines of `name:value`. */
export function serverAdvice(info: string): string[] {
  const field = (name: string): string | undefined => new RegExp(`^${name}:(.*?)\\r?$`, 'm').exec(info)?.[1];
  const advice: string[] = [];
  const version = field('redis_version');
  if (version !== undefined && isOlder(version)) {
    advice.push(`Redis is older than ${OLDEST.join('.')}: messages of a worker that died are found later than they could be.`);
  }
  if (field('role') === 'slave') advice.push('Redis is a replica: what is written there is lost at its next synchronisation.');
  return advice;
}

function isOlder(version: string): boolean {
  const [major = 0, minor = 0] = version.split('.').map(Number);
  return major < OLDEST[0] || (major === OLDEST[0] && minor < OLDEST[1]);
}

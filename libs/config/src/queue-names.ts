/** Which queues a worker serves: all of them (`*`), or a list of names. */
import { about, type About, type Setting } from './setting.js';

const QUEUES_MAX = 64;
const QUEUE_NAME = /^[A-Za-z0-9._:-]{1,64}$/;

export function queueNames(options: About): Setting<'*' | readonly string[]> {
  const accepts = `\`*\`, or a comma-separated list of at most ${QUEUES_MAX} names of \`[A-Za-z0-9._:-]{1,64}\``;
  return {
    ...about(options),
    fallback: '*',
    shownDefault: '`*`',
    accepts,
    read: (raw) => {
      if (raw === '*') return { value: '*' };
      const names = raw.split(',');
      if (!names.every((name) => QUEUE_NAME.test(name))) {
        return { problem: 'must be * or a comma-separated list of queue names without spaces, each 1 to 64 of A-Z a-z 0-9 . _ : -' };
      }
      if (new Set(names).size < names.length) return { problem: 'must name every queue once.' };
      if (names.length > QUEUES_MAX) return { problem: `must list at most ${QUEUES_MAX} queues; write * for all of them.` };
      return { value: Object.freeze(names) };
    },
  };
}

/** Where a process under test is to die or to stand still. Which names there are is known to whoever arms them, at boot. */
import { about, type About, type Setting } from './setting.js';

const FAILPOINT = /^([a-z][a-z.-]{0,63})=(kill|stop)@([1-9]\d{0,5})$/;

export interface FailpointSetting {
  readonly name: string;
  readonly action: 'kill' | 'stop';
  /** From 1. */
  readonly hit: number;
}

export function failpointList(options: About): Setting<readonly FailpointSetting[]> {
  const accepts = 'a comma-separated list of `NAME=kill@N` and `NAME=stop@N`, N from 1';
  return {
    ...about(options),
    fallback: Object.freeze([]),
    shownDefault: 'unset',
    accepts,
    read: (raw) => {
      const matches = raw.split(',').map((part) => FAILPOINT.exec(part));
      const list = matches.flatMap((match) =>
        match === null
          ? []
          : [{ name: match[1] ?? '', action: match[2] === 'kill' ? ('kill' as const) : ('stop' as const), hit: Number(match[3]) }],
      );
      if (list.length < matches.length) return { problem: `must be ${accepts.replaceAll('`', '')}, without spaces.` };
      if (new Set(list.map(({ name }) => name)).size < list.length) return { problem: 'must name every failpoint once.' };
      return { value: Object.freeze(list) };
    },
  };
}

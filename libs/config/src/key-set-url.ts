/**
 * The address of an issuer's key set. It decides who may speak for whom, so it is read strictly: TLS, no credentials, nothing
 * that a server would never see.
 */
import { about, type About, type Setting } from './setting.js';

const LENGTH_MAX = 2_048;

export function keySetUrl(options: About): Setting<string | null> {
  return {
    ...about(options),
    fallback: null,
    shownDefault: 'unset',
    accepts: '`https://HOST/PATH`',
    read: (raw) => {
      const url = raw.length <= LENGTH_MAX && !/[\s\\]/.test(raw) && URL.canParse(raw) ? new URL(raw) : null;
      if (url?.protocol !== 'https:' || url.hostname === '')
        return { problem: 'must be https://HOST/PATH, the address of the key set of your issuer.' };
      if (url.username !== '' || url.password !== '' || url.hash !== '')
        return { problem: 'must hold neither a user name or password nor a #.' };
      return { value: url.href };
    },
  };
}

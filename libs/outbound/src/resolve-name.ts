/**
 * Looks names up by asking the name servers itself. The system's own look-up would occupy one of the few threads that files and
 * cryptography wait for as well, for as long as the name servers of a stranger like, and cannot be called off.
 */
import { Resolver } from 'node:dns/promises';

const QUERY_TIMEOUT_MS = 2_000;
const QUERY_TRIES = 2;
const ADDRESSES_MAX = 32;

/** All addresses of a name; rejects where there are none. Ends early when the signal fires. */
export type ResolveName = (name: string, signal: AbortSignal) => Promise<readonly string[]>;

export const resolveName: ResolveName = async (name, signal) => {
  signal.throwIfAborted();
  const resolver = new Resolver({ timeout: QUERY_TIMEOUT_MS, tries: QUERY_TRIES });
  const cancel = (): void => {
    resolver.cancel();
  };
  signal.addEventListener('abort', cancel, { once: true });
  try {
    const answers = await Promise.allSettled([resolver.resolve4(name), resolver.resolve6(name)]);
    const addresses = answers.flatMap((answer) => (answer.status === 'fulfilled' ? answer.value : []));
    if (addresses.length > 0 && addresses.length <= ADDRESSES_MAX) return addresses;
    throw new Error(`The name has ${addresses.length} addresses.`, { cause: answers });
  } finally {
    signal.removeEventListener('abort', cancel);
  }
};

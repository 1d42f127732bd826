/**
 * Reads `Prefer: wait=N` (RFC 7240). Other preferences are passed over, as that standard wants; a wait that cannot be read
 * is refused, because a client that meant to wait would otherwise go on too early.
 */
import { MalformedRequest } from '@app/errors';

/** Longest wait, in seconds. */
const WAIT_MAX_SECONDS = 60;

/**
 * How long the client would like to wait for the outcome, in ms; null where it did not say.
 * @throws MalformedRequest `invalid-prefer`
 */
export function readWait(header: string | string[] | undefined): number | null {
  if (header === undefined) {
    return null;
  }
  const preferences = [header].flat().join(',').split(',');
  const waits = preferences.map((preference) => preference.split(';')[0]?.trim() ?? '').filter((text) => /^wait(\s*=|$)/i.test(text));
  if (waits.length === 0) {
    return null;
  }
  const seconds = /^wait\s*=\s*(\d{1,3})$/i.exec(waits[0] ?? '')?.[1];
  if (waits.length > 1 || seconds === undefined || Number(seconds) > WAIT_MAX_SECONDS) {
    throw new MalformedRequest('invalid-prefer', `Prefer must say wait=N once, with N from 0 to ${WAIT_MAX_SECONDS} seconds.`, {
      fields: [{ pointer: 'Prefer', code: 'invalid-prefer', message: 'not acceptable' }],
    });
  }
  return Number(seconds) * 1_000;
}

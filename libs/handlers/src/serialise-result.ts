/** Turns what a handler returned into the JSON text that is stored, or into the reason why it cannot be. */
import { describeFailure, printable } from './describe-failure.js';

export type SerialisedResult =
  | { readonly ok: true; readonly json: string }
  | { readonly ok: false; readonly code: 'result-not-serialisable' | 'result-too-large'; readonly message: string };

/**
 * Never throws, whatever was returned. `undefined` becomes `null`; what JSON drops inside an object (functions, `undefined`)
 * is dropped as usual.
 * @param maxBytes largest accepted size of the text, in bytes of UTF-8.
 */
export function serialiseResult(value: unknown, maxBytes: number): SerialisedResult {
  if (typeof value === 'function' || typeof value === 'symbol') return notSerialisable(`it is a ${typeof value}`);
  let json: string;
  try {
    const text: string | undefined = JSON.stringify(value);
    json = text ?? 'null';
  } catch (error) {
    return notSerialisable(describeFailure(error).message);
  }
  const bytes = Buffer.byteLength(json, 'utf8');
  if (bytes <= maxBytes) return { ok: true, json };
  const message = `The result has ${bytes} bytes as JSON; at most ${maxBytes} are stored. Store it elsewhere and return where it is.`;
  return { ok: false, code: 'result-too-large', message };
}

function notSerialisable(reason: string): SerialisedResult {
  return { ok: false, code: 'result-not-serialisable', message: printable(`The result cannot be written as JSON: ${reason}`) };
}

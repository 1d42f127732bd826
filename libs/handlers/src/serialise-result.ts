/** Turns what a handler returned or saved into the JSON text that is stored, or into the reason why it cannot be. */
import { describeFailure, printable } from './describe-failure.js';

type What = 'result' | 'checkpoint';

export type SerialisedResult =
  | { readonly ok: true; readonly json: string }
  | { readonly ok: false; readonly code: `${What}-not-serialisable` | `${What}-too-large`; readonly message: string };

const ADVICE: Readonly<Record<What, string>> = {
  result: 'Store it elsewhere and return where it is.',
  checkpoint: 'Store it elsewhere and save where it is.',
};

/**
 * Never throws, whatever was returned. `undefined` becomes `null`; what JSON drops inside an object (functions, `undefined`)
 * is dropped as usual.
 * @param maxBytes largest accepted size of the text, in bytes of UTF-8.
 */
export function serialiseResult(value: unknown, maxBytes: number, what: What = 'result'): SerialisedResult {
  if (typeof value === 'function' || typeof value === 'symbol') return notSerialisable(what, `it is a ${typeof value}`);
  let json: string;
  try {
    const text: string | undefined = JSON.stringify(value);
    json = text ?? 'null';
  } catch (error) {
    return notSerialisable(what, describeFailure(error).message);
  }
  const bytes = Buffer.byteLength(json, 'utf8');
  if (bytes <= maxBytes) return { ok: true, json };
  const message = `The ${what} has ${bytes} bytes as JSON; at most ${maxBytes} are stored. ${ADVICE[what]}`;
  return { ok: false, code: `${what}-too-large`, message };
}

function notSerialisable(what: What, reason: string): SerialisedResult {
  return { ok: false, code: `${what}-not-serialisable`, message: printable(`The ${what} cannot be written as JSON: ${reason}`) };
}

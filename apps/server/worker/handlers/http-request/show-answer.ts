/** The result of a task of `http.request`: small enough to be stored whatever the other side has sent. */
import { isUtf8 } from 'node:buffer';
import type { OutboundAnswer } from '@app/outbound';

export interface HttpResult {
  readonly status: number;
  readonly headers: Readonly<Record<string, string>>;
  readonly body: string;
  readonly encoding: 'utf8' | 'base64';
}

const HEADERS = ['content-type', 'etag', 'last-modified', 'location', 'retry-after', 'x-request-id'];
const HEADER_LENGTH_MAX = 512;
/** Of a stored result, for everything but the body. */
const FRAME_BYTES = 8_192;
/** How many bytes of JSON one byte of a body may become: a quote, or a line break, is written as two characters. */
const GROWTH = 2;
const CONTROLS = new RegExp('[\\u0000-\\u0008\\u000b\\u000c\\u000e-\\u001f\\u007f-\\u009f]', 'u');

/** The largest body whose result can be stored for certain, in bytes. */
export function storableBytes(resultBytesMax: number): number {
  return Math.max(0, Math.floor((resultBytesMax - FRAME_BYTES) / GROWTH));
}

export function showAnswer({ status, headers, body }: OutboundAnswer): HttpResult {
  const shown = HEADERS.flatMap((name) => {
    const value = headers.get(name);
    return value === undefined ? [] : [[name, value.slice(0, HEADER_LENGTH_MAX)]];
  });
  return { status, headers: Object.fromEntries(shown) as Record<string, string>, ...showBody(body) };
}

/** As text where it is text that everybody can read and store, else in base64. */
export function showBody(body: Buffer): Pick<HttpResult, 'body' | 'encoding'> {
  const text = isUtf8(body) ? body.toString('utf8') : null;
  return text === null || CONTROLS.test(text) ? { body: body.toString('base64'), encoding: 'base64' } : { body: text, encoding: 'utf8' };
}

/** What a task of `http.request` may ask for: checked whole, nothing coerced, nothing ignored. The URL and the headers are the client's to judge. */
import { PermanentError } from '@app/handlers';
import type { OutboundMethod } from '@app/outbound';

export interface HttpOrder {
  readonly url: string;
  readonly method: OutboundMethod;
  readonly headers: Readonly<Record<string, string>>;
  readonly body: string | null;
  /** Which statuses are a success; null: 200 to 299. */
  readonly expected: readonly number[] | null;
  readonly maxResponseBytes: number;
}

const KEYS = ['url', 'method', 'headers', 'body', 'expectStatus', 'maxResponseBytes'];
const METHODS: readonly OutboundMethod[] = ['GET', 'HEAD', 'POST', 'PUT', 'PATCH', 'DELETE'];
const STATUSES_MAX = 32;

/**
 * @param responseBytesMax the most that the answer's body may have, and the default
 * @throws PermanentError `invalid-payload`
 */
export function readOrder(payload: unknown, responseBytesMax: number): HttpOrder {
  if (!isRecord(payload)) throw invalid(`must be an object of ${KEYS.join(', ')}`);
  const unknown = Object.keys(payload).find((key) => !KEYS.includes(key));
  if (unknown !== undefined) throw invalid(`has an unknown field "${unknown.slice(0, 64)}"; it may have ${KEYS.join(', ')}`);
  const { url } = payload;
  if (typeof url !== 'string') throw invalid('needs a text in "url"');
  const method = methodOf(payload['method']);
  return {
    url,
    method,
    headers: headersOf(payload['headers']),
    body: bodyOf(payload['body'], method),
    expected: statusesOf(payload['expectStatus']),
    maxResponseBytes: sizeOf(payload['maxResponseBytes'], responseBytesMax),
  };
}

function methodOf(value: unknown): OutboundMethod {
  if (value === undefined) return 'GET';
  const method = METHODS.find((candidate) => candidate === value);
  if (method === undefined) throw invalid(`needs one of ${METHODS.join(', ')} in "method"`);
  return method;
}

function headersOf(value: unknown): Record<string, string> {
  if (value === undefined) return {};
  if (!isRecord(value)) throw invalid('needs an object of texts in "headers"');
  const entries = Object.entries(value);
  const texts = entries.filter((entry): entry is [string, string] => typeof entry[1] === 'string');
  if (texts.length < entries.length) throw invalid('needs texts as the values of "headers"');
  return Object.fromEntries(texts);
}

function bodyOf(value: unknown, method: OutboundMethod): string | null {
  if (value === undefined) return null;
  if (typeof value !== 'string') throw invalid('needs a text in "body"');
  if (method === 'GET' || method === 'HEAD') throw invalid(`must have no "body" with ${method}`);
  return value;
}

function statusesOf(value: unknown): readonly number[] | null {
  if (value === undefined) return null;
  const list: readonly unknown[] = Array.isArray(value) ? value : [value];
  const statuses = list.filter((one): one is number => typeof one === 'number' && Number.isInteger(one) && one >= 200 && one <= 599);
  if (list.length === 0 || list.length > STATUSES_MAX || statuses.length < list.length) {
    throw invalid(`needs a status from 200 to 599, or a list of at most ${STATUSES_MAX} of them, in "expectStatus"`);
  }
  return statuses;
}

function sizeOf(value: unknown, max: number): number {
  if (value === undefined) return max;
  if (typeof value === 'number' && Number.isInteger(value) && value >= 0 && value <= max) return value;
  throw invalid(`needs a whole number from 0 to ${max} in "maxResponseBytes"`);
}

const isRecord = (value: unknown): value is Record<string, unknown> => typeof value === 'object' && value !== null && !Array.isArray(value);

function invalid(what: string): PermanentError {
  return new PermanentError(`The payload ${what}.`, { code: 'invalid-payload' });
}

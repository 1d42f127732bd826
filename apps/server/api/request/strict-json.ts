/** Turns the bytes of a body into a value, or says precisely why not. Nothing is repaired and nothing passes twice. */
import { isUtf8 } from 'node:buffer';
import { InvalidRequest, MalformedRequest, type TaskRunnerError } from '@app/errors';
import { scanJson, type JsonFinding, type JsonScanLimits } from './json-scanner.js';

const BYTE_ORDER_MARK = 0xfeff;
/** What is not handed to the parser, so that it costs nothing more; whether the rest is JSON is then not asked. */
const TOO_COSTLY: ReadonlySet<JsonFinding> = new Set(['payload-too-deep', 'too-many-keys', 'too-many-values']);

/** @throws MalformedRequest where the bytes are not JSON in UTF-8; InvalidRequest where they are and hold something refused */
export function parseStrictJson(bytes: Buffer, limits: JsonScanLimits): unknown {
  if (!isUtf8(bytes)) {
    throw new MalformedRequest('malformed-json', 'The body is not valid UTF-8.');
  }
  const text = bytes.toString('utf8');
  if (text.charCodeAt(0) === BYTE_ORDER_MARK) {
    throw new MalformedRequest('malformed-json', 'The body begins with a byte order mark. Send plain UTF-8.');
  }
  const finding = scanJson(text, limits);
  if (finding !== null && TOO_COSTLY.has(finding)) {
    throw refusal(finding, limits);
  }
  const value = parse(text);
  if (finding !== null) {
    throw refusal(finding, limits);
  }
  return value;
}

function parse(text: string): unknown {
  try {
    return JSON.parse(text);
  } catch {
    throw new MalformedRequest(
      'malformed-json',
      text.trim() === '' ? 'The body is empty. Send a JSON object.' : 'The body is not valid JSON.',
    );
  }
}

function refusal(finding: JsonFinding, limits: JsonScanLimits): TaskRunnerError {
  switch (finding) {
    case 'malformed-json':
      return new MalformedRequest('malformed-json', 'The body is not valid JSON.');
    case 'duplicate-key':
      return new MalformedRequest('duplicate-key', 'An object in the body has the same key twice. Send each key once.');
    case 'forbidden-key':
      return new InvalidRequest('forbidden-key', 'The key "__proto__" is not accepted anywhere in the body. Rename it.');
    case 'payload-too-deep':
      return new InvalidRequest('payload-too-deep', `The body is nested deeper than ${limits.maxDepth} levels. Flatten it.`);
    case 'too-many-keys':
      return new InvalidRequest('payload-too-complex', `An object in the body has more than ${limits.maxKeys} keys. Split it.`);
    case 'too-many-values':
      return new InvalidRequest(
        'payload-too-complex',
        `The body holds more than ${limits.maxValues} values. Split it, or send the data as one text.`,
      );
    case 'key-too-long':
      return new InvalidRequest('payload-too-complex', 'A key in the body is longer than 4,096 characters. Shorten it.');
    case 'number-not-representable':
      return new InvalidRequest('number-not-representable', 'A number in the body would change its value when read. Send it as a string.');
    case 'invalid-unicode':
      return new InvalidRequest('invalid-unicode', 'A string in the body holds half of a surrogate pair. Send whole characters.');
  }
}

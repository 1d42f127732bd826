/**
 * The headers of a request. What a user sets is limited to names that cannot change where the request goes, how its body is framed,
 * or who the other side believes to be talking to; and to values that no parser reads as more than one line. Ours come last.
 */
import { HeaderNotAllowed } from './outbound-errors.js';

const COUNT_MAX = 32;
const VALUE_LENGTH_MAX = 2_048;
const ALLOWED: ReadonlySet<string> = new Set(['accept', 'accept-language', 'authorization', 'content-type']);
const EXTENSION = /^x-[a-z0-9]([a-z0-9-]{0,60}[a-z0-9])?$/;
/** Extensions by which proxies tell who is calling, and for which host and path. */
const OF_PROXIES = /^x-(forwarded|real|original|rewrite|client|cluster-client|remote|host|envoy|amzn|proxy)(-|$)/;
/** Never a user's, whatever the operator lists. */
const RESERVED =
  /^(accept-encoding|connection|content-length|cookie2?|expect|forwarded|host|http2-settings|idempotency-key|keep-alive|te|trailer|transfer-encoding|upgrade|user-agent|via|proxy-.*|sec-.*)$/;
const VALUE = /^[\x21-\x7e]([\x20-\x7e]*[\x21-\x7e])?$/;

/**
 * @param more names that the operator allows besides, in lower case
 * @param own set by the program itself, under any name; in the place of the user's where both set one
 * @returns the headers by their names in lower case
 * @throws HeaderNotAllowed
 */
export function readHeaders(
  users: Readonly<Record<string, string>>,
  more: ReadonlySet<string>,
  own: Readonly<Record<string, string>>,
): Record<string, string> {
  const entries = Object.entries(users);
  if (entries.length > COUNT_MAX) throw new HeaderNotAllowed('', `There must be at most ${COUNT_MAX} headers.`);
  const headers = new Map<string, string>();
  for (const [name, value] of entries) {
    const lower = name.toLowerCase();
    if (!isAllowed(lower, more))
      throw new HeaderNotAllowed(
        name,
        'Only Accept, Accept-Language, Authorization, Content-Type, X-… and what the operator lists may be set as headers.',
      );
    if (headers.has(lower)) throw new HeaderNotAllowed(name, 'A header may be set once.');
    if (value.length > VALUE_LENGTH_MAX || !VALUE.test(value)) {
      throw new HeaderNotAllowed(
        name,
        `The value of a header must be 1 to ${VALUE_LENGTH_MAX} printable ASCII characters, without spaces around it.`,
      );
    }
    headers.set(lower, value);
  }
  for (const [name, value] of Object.entries(own)) headers.set(name.toLowerCase(), value);
  return Object.fromEntries(headers);
}

function isAllowed(name: string, more: ReadonlySet<string>): boolean {
  if (RESERVED.test(name)) return false;
  return ALLOWED.has(name) || more.has(name) || (EXTENSION.test(name) && !OF_PROXIES.test(name));
}

/** The formats a schema may ask for. Unlike in the standard each is enforced, and an unknown one is refused when the schema is compiled. */
import { isIPv4, isIPv6 } from 'node:net';

/** Longest text that can be of a format; the rules below look at short texts only. */
const LENGTH_MAX = 2_048;
const DATE = /^(\d{4})-(\d{2})-(\d{2})$/;
const TIME = /^([01]\d|2[0-3]):[0-5]\d:[0-5]\d(\.\d{1,9})?(Z|[+-]([01]\d|2[0-3]):[0-5]\d)$/;
const UUID = /^[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}$/i;
const EMAIL = /^[^\s@<>()[\]\\,;:"\p{Cc}]{1,64}@[A-Za-z0-9-]{1,63}(\.[A-Za-z0-9-]{1,63}){1,8}$/u;
const SCHEME = /^[A-Za-z][A-Za-z0-9+.-]*:/;

const FORMATS: Readonly<Record<string, (text: string) => boolean>> = {
  date: isDate,
  'date-time': (text) => isDate(text.slice(0, 10)) && text[10] === 'T' && TIME.test(text.slice(11)),
  email: (text) => EMAIL.test(text),
  ipv4: (text) => isIPv4(text),
  ipv6: (text) => isIPv6(text),
  uri: (text) => SCHEME.test(text) && !/[\s\p{Cc}]/u.test(text) && URL.canParse(text),
  uuid: (text) => UUID.test(text),
};

export const FORMAT_NAMES: readonly string[] = Object.keys(FORMATS);

/** Undefined where there is no such format. */
export function formatCheck(name: unknown): ((text: string) => boolean) | undefined {
  const check = typeof name === 'string' && Object.hasOwn(FORMATS, name) ? FORMATS[name] : undefined;
  return check === undefined ? undefined : (text) => text.length <= LENGTH_MAX && check(text);
}

/** Only days the calendar has: `Date` would read 30 February as 2 March. */
function isDate(text: string): boolean {
  const [, year, month, day] = (DATE.exec(text) ?? []).map(Number);
  if (year === undefined || month === undefined || day === undefined) return false;
  const read = new Date(Date.UTC(year, month - 1, day));
  return read.getUTCMonth() === month - 1 && read.getUTCDate() === day;
}

/**
 * Where a URL leads, or why it may not lead there. It is judged as the WHATWG parser reads it, because that is what will be connected
 * to; and a text that this parser would first have to mend (white space, backslashes, `http:host`, an encoded host, 127.1) is
 * refused, because somebody else who looked at it may have read another host. No name is looked up here.
 */
import { familyOf } from './forbidden-networks.js';
import { UrlNotAllowed } from './outbound-errors.js';
import type { Policy } from './policy.js';

export interface Target {
  readonly url: URL;
  /** A name in lower case, or an address without brackets. */
  readonly host: string;
  readonly port: number;
  readonly isAddress: boolean;
}

const URL_LENGTH_MAX = 2_048;
const PRINTABLE = /^[\x21-\x7e]+$/;
const AUTHORITY = /^https?:\/\/([^/?#]+)(?:[/?#]|$)/i;
const NAME = /^(?=.{1,253}$)([a-z0-9_]([a-z0-9_-]{0,61}[a-z0-9_])?\.)+[a-z0-9_]([a-z0-9_-]{0,61}[a-z0-9_])?$/;
/** Names that mean something inside of a network only. */
const INTERNAL = /(^|\.)(localhost|localdomain|local|internal|intranet|private|corp|home|lan|home\.arpa|onion)$/;

/** @throws UrlNotAllowed with what to write instead. */
export function readTarget(text: string, policy: Policy): Target {
  if (text.length > URL_LENGTH_MAX) throw new UrlNotAllowed(`must have at most ${URL_LENGTH_MAX} characters`);
  if (!PRINTABLE.test(text) || text.includes('\\')) {
    throw new UrlNotAllowed(
      'must be printable ASCII without spaces and backslashes: write the host in its ASCII form and percent-encode the rest',
    );
  }
  const authority = AUTHORITY.exec(text)?.[1];
  if (authority === undefined || !URL.canParse(text))
    throw new UrlNotAllowed('must be a complete one that begins with https:// and a host');
  const url = new URL(text);
  if (!policy.allowsScheme(url.protocol)) throw new UrlNotAllowed('must begin with https://');
  if (authority.includes('@')) throw new UrlNotAllowed('must not have a user name or password in front of the host');
  if (text.includes('#')) throw new UrlNotAllowed('must not have a fragment, the part from # on');
  const host = url.hostname.replace(/^\[(.*)\]$/, '$1');
  const isAddress = familyOf(host) !== null;
  const isAsWritten = url.hostname.startsWith('[') || authority.toLowerCase().replace(/:\d*$/, '') === url.hostname;
  if (!isAsWritten) throw new UrlNotAllowed('must have its host in the usual form, such as hooks.example.com');
  const port = url.port === '' ? (url.protocol === 'https:' ? 443 : 80) : Number(url.port);
  if (!policy.allowsPort(port)) throw new UrlNotAllowed('names a port that may not be used from here');
  if (isAddress ? !policy.allowsAddress(host, host) : !allowsName(host, policy)) {
    throw new UrlNotAllowed('names a host that may not be reached from here');
  }
  return { url, host, port, isAddress };
}

function allowsName(name: string, policy: Policy): boolean {
  if (policy.deniesName(name)) return false;
  return policy.listsName(name) || (NAME.test(name) && !INTERNAL.test(name));
}

/**
 * How a request on a user's behalf ends without an answer. The messages are for that user: none holds an address, a name from a
 * driver or anything else that would tell what the network behind this service looks like. The cause is for the log.
 */
import { TaskRunnerError } from '@app/errors';

/** The request may not be made as it stands; nothing was sent. `fields` says which part is at fault. */
export abstract class OutboundRefused extends TaskRunnerError {}

/** The URL is not one that requests may be sent to. `what` completes "The URL …". */
export class UrlNotAllowed extends OutboundRefused {
  constructor(what: string) {
    const message = `The URL ${what}.`;
    super('invalid', 'url-not-allowed', message, { fields: [{ pointer: '/url', code: 'url-not-allowed', message }] });
  }
}

/** A header is not one that users may set. A name is repeated only where it is one that can be shown. */
export class HeaderNotAllowed extends OutboundRefused {
  constructor(name: string, message: string) {
    const pointer = /^[\w-]{1,64}$/.test(name) ? `/headers/${name}` : '/headers';
    super('invalid', 'header-not-allowed', message, { fields: [{ pointer, code: 'header-not-allowed', message }] });
  }
}

/**
 * `redirect`: the answer points elsewhere, and is not followed. `timeout`: no whole answer in time. `response-too-large`: its headers
 * or its body. `blocked-address`: the name leads where requests may not go. `tls-untrusted`: the certificate is not to be trusted for
 * this name. `connection-failed`: anything else between here and there.
 */
export type OutboundFailure = 'redirect' | 'timeout' | 'response-too-large' | 'blocked-address' | 'tls-untrusted' | 'connection-failed';

const MESSAGES: Readonly<Record<OutboundFailure, string>> = {
  redirect: 'The answer is a redirect, and redirects are not followed. Use the address that it leads to.',
  timeout: 'There was no complete answer in time.',
  'response-too-large': 'The answer has more headers or a longer body than may be read.',
  'blocked-address': 'The host in the URL has an address that may not be reached from here.',
  'tls-untrusted': 'The certificate of the other side is not one to be trusted for this name.',
  'connection-failed': 'There was no connection, or it broke before the answer was complete.',
};

/** The request was allowed and brought no answer. */
export class OutboundFailed extends TaskRunnerError {
  constructor(
    readonly reason: OutboundFailure,
    cause?: unknown,
  ) {
    super('unavailable', 'outbound-failed', MESSAGES[reason], { cause, retryAfterMs: 5_000 });
  }
}

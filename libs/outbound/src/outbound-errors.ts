/**
 * How a request on a user's behalf ends without an answer. The messages are for that user: none holds an address, a name from a
 * driver or anything else that would tell what the network behind this service looks like. The cause is for the log.
 */
import { TaskRunnerError } from '@app/errors';

/** The request may not be made as it stands; nothing was sent and no name was looked up. `pointer` is the part that is at fault. */
export class OutboundRefused extends TaskRunnerError {
  constructor(code: 'url-not-allowed' | 'header-not-allowed', pointer: string, message: string) {
    super('invalid', code, message, { fields: [{ pointer, code, message }] });
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
  'blocked-address': 'The name in the URL leads to an address that may not be reached from here.',
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

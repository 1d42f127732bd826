/**
 * One request and its answer, over a connection that is made for it and closed after it: nothing is shared with another tenant's
 * request, and no proxy of the environment comes between. The answer is read as it comes, never decompressed, and no further than
 * it may go.
 */
import * as http from 'node:http';
import * as https from 'node:https';
import { isIP, type LookupFunction } from 'node:net';
import { TLSSocket, type SecureContext } from 'node:tls';
import { OutboundFailed } from './outbound-errors.js';
import type { Target } from './read-target.js';

const HEADER_BYTES_MAX = 16_384;

export interface OutboundAnswer {
  /** 200 to 599, no redirect. */
  readonly status: number;
  /** By name in lower case; several of one name are joined with ", ". */
  readonly headers: ReadonlyMap<string, string>;
  /** As it came over the wire, at most the size that was asked for. */
  readonly body: Buffer;
}

export interface Exchange {
  readonly target: Target;
  readonly method: string;
  readonly headers: Readonly<Record<string, string>>;
  readonly body: Buffer | null;
  readonly maxResponseBytes: number;
  /** The only addresses to connect to. */
  readonly addresses: readonly string[];
  /** Which authorities are trusted, and from which version of TLS on. */
  readonly trust: SecureContext;
  /** Ends the exchange, whatever it is at. */
  readonly signal: AbortSignal;
  /** Called when all headers of the answer are here. */
  onHeaders(): void;
}

/** @throws OutboundFailed, or whatever the signal's reason makes of it: after an abort the error is not to be relied on. */
export async function exchange(order: Exchange): Promise<OutboundAnswer> {
  const isSecure = order.target.url.protocol === 'https:';
  const secured = { keepAlive: false, maxCachedSessions: 0, secureContext: order.trust };
  const agent = isSecure ? new https.Agent(secured) : new http.Agent({ keepAlive: false });
  const request = (isSecure ? https : http).request({ ...optionsOf(order), agent });
  try {
    const response = await send(request, order.body);
    order.onHeaders();
    return await read(response, order.maxResponseBytes);
  } catch (error) {
    throw failureOf(error, request);
  } finally {
    request.destroy();
    agent.destroy();
  }
}

function optionsOf({ target, method, headers, body, addresses, signal }: Exchange): https.RequestOptions {
  const { url, host, port } = target;
  return {
    host,
    port,
    path: url.pathname + url.search,
    method,
    headers: { ...headers, ...(body === null ? {} : { 'content-length': String(body.length) }), 'accept-encoding': 'identity' },
    lookup: lookupOf(addresses),
    signal,
    maxHeaderSize: HEADER_BYTES_MAX,
    insecureHTTPParser: false,
    // Said again although it is the default: an environment variable could turn it off.
    rejectUnauthorized: true,
    servername: isIP(host) === 0 ? host : '',
  };
}

/** Answers what was checked, whatever it is asked. Node asks for one address or for all of them. */
function lookupOf(addresses: readonly string[]): LookupFunction {
  const answers = addresses.map((address) => ({ address, family: isIP(address) }));
  return (_name, options, done) => {
    const [first] = answers;
    if (first === undefined) done(new Error('There is no address to connect to.'), '');
    else if (options.all === true) done(null, answers);
    else done(null, first.address, first.family);
  };
}

function send(request: http.ClientRequest, body: Buffer | null): Promise<http.IncomingMessage> {
  return new Promise((resolve, reject) => {
    request.once('response', resolve);
    request.on('error', reject);
    // An answer that wants to change the protocol is none; without this its socket would be ours to look after.
    request.once('upgrade', (_response, socket) => {
      socket.destroy();
      reject(new Error('The other side wants to speak another protocol.'));
    });
    request.once('close', () => {
      reject(new Error('The connection was closed without an answer.'));
    });
    request.end(body ?? undefined);
  });
}

async function read(response: http.IncomingMessage, maxBytes: number): Promise<OutboundAnswer> {
  const status = response.statusCode ?? 0;
  // 304 leads nowhere: it says that what the caller has is still right.
  if (status >= 300 && status < 400 && status !== 304) throw new OutboundFailed('redirect');
  const chunks: Buffer[] = [];
  let bytes = 0;
  for await (const chunk of response as AsyncIterable<Buffer>) {
    bytes += chunk.length;
    if (bytes > maxBytes) throw new OutboundFailed('response-too-large');
    chunks.push(chunk);
  }
  return { status, headers: headersOf(response), body: Buffer.concat(chunks) };
}

function headersOf({ headers }: http.IncomingMessage): ReadonlyMap<string, string> {
  return new Map(Object.entries(headers).flatMap(([name, value]) => (value === undefined ? [] : [[name, [value].flat().join(', ')]])));
}

function failureOf(error: unknown, { socket }: http.ClientRequest): OutboundFailed {
  if (error instanceof OutboundFailed) return error;
  if (codeOf(error) === 'HPE_HEADER_OVERFLOW') return new OutboundFailed('response-too-large', error);
  // Set only where the certificate was looked at and did not do; a text, whatever its type says.
  const verdict: unknown = socket instanceof TLSSocket ? socket.authorizationError : null;
  return new OutboundFailed(typeof verdict === 'string' ? 'tls-untrusted' : 'connection-failed', error);
}

function codeOf(error: unknown): unknown {
  return typeof error === 'object' && error !== null && 'code' in error ? error.code : null;
}

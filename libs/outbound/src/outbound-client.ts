/**
 * The only way by which this service sends requests to places that its users name. Three checks stand before every one: the URL as
 * the parser reads it, the address where the host is one, and every address that the name leads to. Whatever the other side does
 * (nothing, slowly, without end, a redirect to the inside), the request ends in time and in a typed error.
 */
import { X509Certificate } from 'node:crypto';
import { readFileSync } from 'node:fs';
import { createSecureContext, rootCertificates, type SecureContext } from 'node:tls';
import { InvalidConfiguration } from '@app/errors';
import { admit, type Gate } from './admit.js';
import { exchange, type OutboundAnswer } from './exchange.js';
import { OutboundFailed } from './outbound-errors.js';
import type { OwnHosts } from './own-hosts.js';
import { Policy, type OutboundSettings } from './policy.js';
import { readHeaders } from './read-headers.js';
import { readTarget } from './read-target.js';
import { resolveName, type ResolveName } from './resolve-name.js';

const CERTIFICATE = /-----BEGIN CERTIFICATE-----[^-]+-----END CERTIFICATE-----/g;
const USER_AGENT = 'task-runner-x';

export type OutboundMethod = 'GET' | 'HEAD' | 'POST' | 'PUT' | 'PATCH' | 'DELETE';

export interface OutboundRequest {
  /** As the user wrote it. */
  readonly url: string;
  readonly method: OutboundMethod;
  /** A user's: only names of the allow-list, only printable values. */
  readonly headers?: Readonly<Record<string, string>>;
  /** The program's own, under any name; they win over the user's. Not for anything that a user has written. */
  readonly ownHeaders?: Readonly<Record<string, string>>;
  readonly body?: string | Buffer;
  /** For the whole of it, at most `OUTBOUND_TIMEOUT_MAX_MS`. */
  readonly timeoutMs: number;
  /** Of the body, at most `OUTBOUND_RESPONSE_MAX_BYTES`. */
  readonly maxResponseBytes: number;
  /** Ends the request; it then rejects with the reason of the abort. */
  readonly signal?: AbortSignal;
}

export class OutboundClient {
  private readonly gate: Gate;
  private readonly moreHeaders: ReadonlySet<string>;
  private readonly trust: SecureContext;

  /** @throws InvalidConfiguration where `OUTBOUND_CA_FILE` cannot be read. */
  constructor(
    private readonly settings: OutboundSettings,
    own: OwnHosts,
    resolve: ResolveName = resolveName,
  ) {
    this.gate = { policy: new Policy(settings), own, resolve };
    this.moreHeaders = new Set(settings.outboundHeaders);
    this.trust = trustOf(settings.outboundCaFile);
  }

  /**
   * The answer, whatever its status, unless that is a redirect.
   * @throws OutboundRefused where the request may not be made; nothing was sent
   * @throws OutboundFailed where it was allowed and brought no answer
   */
  async request(request: OutboundRequest): Promise<OutboundAnswer> {
    request.signal?.throwIfAborted();
    const target = readTarget(request.url, this.gate.policy);
    const headers = readHeaders(request.headers ?? {}, this.moreHeaders, { 'user-agent': USER_AGENT, ...request.ownHeaders });
    const limits = new Limits(request, this.settings);
    try {
      const addresses = await limits.bind(admit(target, this.gate, limits.signal));
      return await exchange({
        target,
        method: request.method,
        headers,
        body: request.body === undefined ? null : Buffer.from(request.body),
        maxResponseBytes: Math.min(request.maxResponseBytes, this.settings.outboundResponseMaxBytes),
        addresses,
        trust: this.trust,
        signal: limits.signal,
        onHeaders: limits.headersAreHere,
      });
    } catch (error) {
      limits.signal.throwIfAborted();
      throw error;
    } finally {
      limits.end();
    }
  }
}

/** What ends a request early: its two deadlines, and whoever asked for it. */
class Limits {
  private readonly controller = new AbortController();
  readonly signal = this.controller.signal;
  private readonly total: NodeJS.Timeout;
  private readonly first: NodeJS.Timeout;

  constructor(
    private readonly request: OutboundRequest,
    settings: OutboundSettings,
  ) {
    const expire = (): void => {
      this.controller.abort(new OutboundFailed('timeout'));
    };
    this.total = setTimeout(expire, Math.min(request.timeoutMs, settings.outboundTimeoutMaxMs));
    this.first = setTimeout(expire, settings.outboundConnectTimeoutMs);
    request.signal?.addEventListener('abort', this.callOff, { once: true });
  }

  readonly headersAreHere = (): void => {
    clearTimeout(this.first);
  };

  /** Rejects when the signal fires, also where the work does not look at it. */
  async bind<T>(work: Promise<T>): Promise<T> {
    return await Promise.race([
      work,
      new Promise<never>((_resolve, reject) => {
        this.signal.addEventListener(
          'abort',
          () => {
            reject(this.signal.reason as Error);
          },
          { once: true },
        );
      }),
    ]);
  }

  end(): void {
    clearTimeout(this.total);
    clearTimeout(this.first);
    this.request.signal?.removeEventListener('abort', this.callOff);
  }

  private readonly callOff = (): void => {
    this.controller.abort(this.request.signal?.reason);
  };
}

/** The public authorities and the operator's, read once because that takes 20 ms. A certificate that cannot be read is found out now, not at the first request. */
function trustOf(file: string | null): SecureContext {
  if (file === null) return createSecureContext({ minVersion: 'TLSv1.2' });
  try {
    const blocks = readFileSync(file, 'utf8').match(CERTIFICATE) ?? [];
    const own = blocks.map((block) => new X509Certificate(block).toString());
    if (own.length > 0) return createSecureContext({ minVersion: 'TLSv1.2', ca: [...rootCertificates, ...own] });
  } catch {
    // What was wrong would repeat a path, or what is in the file.
  }
  throw new InvalidConfiguration(['OUTBOUND_CA_FILE must be a readable file of certificates in PEM form.']);
}

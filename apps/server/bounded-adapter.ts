/**
 * The HTTP server of every role, with a bound on whatever a client can make it keep: connections, their time, the size of a head.
 * The limits are given when the server is made, because Node.js looks for slow clients at an interval that cannot be changed later.
 * They are about receiving a request and about silence; how long an answer may take to make is not the server's business.
 *
 * Data is answered here and not by Express, which asks for each answer whether it is to have a tag, is fresh, has a type and what that
 * means: nothing of which applies to the data of an api, and together it costs as much as writing the JSON.
 */
import { createServer } from 'node:http';
import { StreamableFile } from '@nestjs/common';
import { ExpressAdapter } from '@nestjs/platform-express';
import type { Express, Response } from 'express';
import type { Config } from '@app/config';
import { expressMessages } from './express-messages.js';

/** Times in ms. */
export interface HttpLimits {
  /** For the head of a request, and for the first byte on a new connection. */
  headersMs: number;
  /** For a whole request. */
  requestMs: number;
  /** For a connection without a request. */
  keepAliveMs: number;
  /** For a connection that carries nothing in either direction. */
  stalledMs: number;
  /** How often connections are looked through for those that took too long. */
  checkMs: number;
  headerBytesMax: number;
  headersMax: number;
  connectionsMax: number;
  requestsPerConnection: number;
}

export function httpLimits(config: Config): HttpLimits {
  return {
    headersMs: config.httpHeadersTimeoutMs,
    requestMs: config.httpRequestTimeoutMs,
    keepAliveMs: config.httpKeepAliveMs,
    stalledMs: config.httpStalledTimeoutMs,
    checkMs: config.httpTimeoutCheckMs,
    headerBytesMax: config.httpMaxHeaderBytes,
    headersMax: config.httpMaxHeaders,
    connectionsMax: config.httpMaxConnections,
    requestsPerConnection: config.httpRequestsPerConnection,
  };
}

/** With these the body is not what was returned. */
const WITHOUT_BODY: ReadonlySet<number> = new Set([204, 205, 304]);

export class BoundedAdapter extends ExpressAdapter {
  constructor(
    private readonly limits: HttpLimits,
    /** Called for every client that is turned away because there are as many as may be. */
    private readonly onTurnedAway: () => void,
  ) {
    super();
    this.getInstance<Express>().disable('x-powered-by');
  }

  override initHttpServer(): void {
    const { limits } = this;
    const app = this.getInstance<Express>();
    const server = createServer(
      {
        ...expressMessages(app),
        headersTimeout: limits.headersMs,
        requestTimeout: limits.requestMs,
        keepAliveTimeout: limits.keepAliveMs,
        connectionsCheckingInterval: limits.checkMs,
        maxHeaderSize: limits.headerBytesMax,
        requireHostHeader: true,
        insecureHTTPParser: false,
      },
      app,
    );
    server.timeout = limits.stalledMs;
    // Node.js drops lines above its count without a word; one more than may be shows that there were too many.
    server.maxHeadersCount = limits.headersMax + 1;
    server.maxConnections = limits.connectionsMax;
    server.maxRequestsPerSocket = limits.requestsPerConnection;
    server.on('drop', this.onTurnedAway);
    this.httpServer = server;
  }

  /**
   * Anything but plain data, or data that has been given a type of its own, is left to Express. Nobody here gives an answer a tag or a
   * date for a client to compare, or an encoding of its own for its way: such a route would have to be left to Express as well.
   */
  override reply(response: Response, body: unknown, statusCode?: number): unknown {
    if (!isData(body) || response.hasHeader('Content-Type')) return super.reply(response, body, statusCode) as unknown;
    if (statusCode !== undefined) response.statusCode = statusCode;
    if (WITHOUT_BODY.has(response.statusCode)) return super.reply(response, body) as unknown;
    const text = JSON.stringify(body) as string | undefined;
    if (text === undefined) return super.reply(response, body) as unknown;
    response.setHeader('Content-Type', 'application/json; charset=utf-8');
    const bytes = Buffer.byteLength(text);
    response.setHeader('Content-Length', bytes);
    // Text of one byte per character is the same in both, and need not be looked through in the first.
    return response.end(text, bytes === text.length ? 'latin1' : 'utf8');
  }
}

function isData(body: unknown): body is object {
  if (typeof body !== 'object' || body === null) return false;
  return !(body instanceof StreamableFile || body instanceof Error || ArrayBuffer.isView(body));
}

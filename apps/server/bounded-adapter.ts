/**
 * The HTTP server of every role, with a bound on whatever a client can make it keep: connections, their time, the size of a head.
 * The limits are given when the server is made, because Node.js looks for slow clients at an interval that cannot be changed later.
 * They are about receiving a request and about silence; how long an answer may take to make is not the server's business.
 */
import { createServer } from 'node:http';
import { ExpressAdapter } from '@nestjs/platform-express';
import type { Express } from 'express';
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
}

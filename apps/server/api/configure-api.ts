/**
 * What surrounds the routes of the api: request ids, the access log, security headers, what other origins may do, the documents at
 * `/openapi.json` and `/docs` where they are to be shown, and the check that no route was left unguarded. To be called once, before the application listens. The application
 * must be created with `bodyParser: false`; bodies are read behind the guard.
 */
import type { NestExpressApplication } from '@nestjs/platform-express';
import { SwaggerModule } from '@nestjs/swagger';
import type { NextFunction, Request, Response } from 'express';
import type { HelmetOptions } from 'helmet';
import { assertEveryRouteIsGuarded } from '@app/auth';
import { Config } from '@app/config';
import { Clock } from '@app/lifecycle';
import { AttemptLimits } from '@app/limits';
import { Logger } from '@app/telemetry';
import { buildOpenApiDocument } from './openapi/build-document.js';
import { Overload } from './overload/overload.js';
import { acceptsJson } from './request/accepts-json.js';
import { accessLog } from './request/access-log.js';
import { allowOrigins } from './request/cross-origin.js';
import { anonymousLimit } from './request/anonymous-limit.js';
import { fixedHeaders } from './request/fixed-headers.js';
import { headerCount } from './request/header-count.js';
import { inOrder, type Step } from './request/in-order.js';
import { requestId } from './request/request-id.js';
import { untrustedProxy } from './request/untrusted-proxy.js';

/** As the router compares paths. */
const API = /^\/api(\/|$)/i;

/** Data is nothing that a browser should show, whatever it is made to think of it. */
const FOR_DATA = { defaultSrc: ["'none'"], frameAncestors: ["'none'"] };
/** Swagger UI styles itself inline; its scripts are files of ours. `upgrade-insecure-requests` would break plain HTTP. */
const FOR_DOCUMENTS = {
  defaultSrc: ["'self'"],
  styleSrc: ["'self'", "'unsafe-inline'"],
  imgSrc: ["'self'", 'data:'],
  objectSrc: ["'none'"],
  baseUri: ["'none'"],
  formAction: ["'none'"],
  frameAncestors: ["'none'"],
};

/** @throws Error where a route declares neither scopes nor that it is public */
export function configureApi(app: NestExpressApplication): void {
  assertEveryRouteIsGuarded(app);
  const config = app.get(Config, { strict: false });
  app.disable('x-powered-by');
  app.set('etag', false);
  app.set('trust proxy', config.trustProxy ?? false);
  const logger = app.get(Logger, { strict: false });
  app.use(
    inOrder(
      requestId,
      // Before the access log: a line for every request that is sent away would be one more thing to do.
      app.get(Overload, { strict: false }).gate,
      accessLog(logger, app.get(Clock, { strict: false })),
      ...(config.trustProxy === null ? [untrustedProxy(logger)] : []),
      fixedHeaders({ ...securityHeaders(config, FOR_DATA), ...FOR_DOCUMENTS_ONLY }),
    ),
  );
  allowOrigins(app, config.corsOrigins);
  app.use(
    inOrder(
      headerCount(config.httpMaxHeaders),
      anonymousLimit(app.get(AttemptLimits, { strict: false })),
      ofApi(inOrder(neverStored, acceptsJson)),
    ),
  );
  if (config.showsDocuments) serveDocuments(app, config);
}

/**
 * What only a document that is shown can be hurt by the lack of, or what keeps other sites from embedding what a browser fetches with the
 * user's cookies, of which there are none. Answers in JSON do not carry it: each header costs them, and what needs no token is no secret.
 */
const FOR_DOCUMENTS_ONLY = {
  crossOriginOpenerPolicy: false,
  crossOriginResourcePolicy: false,
  originAgentCluster: false,
  referrerPolicy: false,
  xDnsPrefetchControl: false,
  xDownloadOptions: false,
  xPermittedCrossDomainPolicies: false,
  xXssProtection: false,
} satisfies HelmetOptions;

/** Whoever serves the api through TLS alone says so; told over plain HTTP it would lock browsers out. */
function securityHeaders({ hstsSeconds }: Config, directives: Record<string, string[]>) {
  return {
    contentSecurityPolicy: { useDefaults: false, directives },
    strictTransportSecurity: hstsSeconds > 0 && { maxAge: hstsSeconds, includeSubDomains: false },
    xFrameOptions: { action: 'deny' },
  } satisfies HelmetOptions;
}

function serveDocuments(app: NestExpressApplication, config: Config): void {
  app.use('/docs', fixedHeaders(securityHeaders(config, FOR_DOCUMENTS)));
  SwaggerModule.setup('docs', app, () => buildOpenApiDocument(app), {
    jsonDocumentUrl: 'openapi.json',
    raw: ['json'],
    customSiteTitle: 'Task Runner X',
  });
}

/** A step that only requests of the api take. The router would cut the path for it, and put it together again. */
function ofApi(step: Step): Step {
  return (request, response, next) => {
    if (API.test(request.path)) step(request, response, next);
    else next();
  };
}

function neverStored(_request: Request, response: Response, next: NextFunction): void {
  response.setHeader('Cache-Control', 'no-store');
  next();
}

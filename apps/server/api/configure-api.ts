/**
 * What surrounds the routes of the api: request ids, the access log, security headers, the documents at `/openapi.json` and
 * `/docs`, and the check that no route was left unguarded. To be called once, before the application listens. The application
 * must be created with `bodyParser: false`; bodies are read behind the guard.
 */
import type { NestExpressApplication } from '@nestjs/platform-express';
import { SwaggerModule } from '@nestjs/swagger';
import type { NextFunction, Request, Response } from 'express';
import helmet from 'helmet';
import { assertEveryRouteIsGuarded } from '@app/auth';
import { Clock } from '@app/lifecycle';
import { Logger } from '@app/telemetry';
import { buildOpenApiDocument } from './openapi/build-document.js';
import { acceptsJson } from './request/accepts-json.js';
import { accessLog } from './request/access-log.js';
import { requestId } from './request/request-id.js';

/** Swagger UI styles itself inline; its scripts are files of ours. `upgrade-insecure-requests` would break plain HTTP. */
const CONTENT_SECURITY_POLICY = {
  useDefaults: false,
  directives: {
    defaultSrc: ["'self'"],
    styleSrc: ["'self'", "'unsafe-inline'"],
    imgSrc: ["'self'", 'data:'],
    objectSrc: ["'none'"],
    baseUri: ["'none'"],
    formAction: ["'none'"],
    frameAncestors: ["'none'"],
  },
};

/** @throws Error where a route declares neither scopes nor that it is public */
export function configureApi(app: NestExpressApplication): void {
  assertEveryRouteIsGuarded(app);
  app.disable('x-powered-by');
  app.set('etag', false);
  app.use(requestId);
  app.use(accessLog(app.get(Logger, { strict: false }), app.get(Clock, { strict: false })));
  app.use(helmet({ contentSecurityPolicy: CONTENT_SECURITY_POLICY }));
  app.use('/api', neverStored, acceptsJson);
  SwaggerModule.setup('docs', app, () => buildOpenApiDocument(app), {
    jsonDocumentUrl: 'openapi.json',
    raw: ['json'],
    customSiteTitle: 'Task Runner X',
  });
}

function neverStored(_request: Request, response: Response, next: NextFunction): void {
  response.setHeader('Cache-Control', 'no-store');
  next();
}

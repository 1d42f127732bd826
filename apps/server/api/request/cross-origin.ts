/**
 * What a browser may do for a page of another origin: nothing, unless that origin is in the list, letter by letter. Origins are never
 * reflected unseen, `null` and `*` cannot be in the list, and no cookie is ever sent, because the api knows none.
 */
import type { NestExpressApplication } from '@nestjs/platform-express';

const PREFLIGHT_KEPT_SECONDS = 600;
const METHODS = ['GET', 'POST', 'PUT', 'PATCH', 'DELETE'];
const SENT = ['Authorization', 'Content-Type', 'Idempotency-Key', 'Prefer', 'X-Request-Id'];
const READ = [
  ...['Location', 'Retry-After', 'Idempotency-Replayed', 'Preference-Applied', 'X-Request-Id'],
  ...['RateLimit', 'RateLimit-Policy', 'RateLimit-Limit', 'RateLimit-Remaining', 'RateLimit-Reset'],
];

export function allowOrigins(app: NestExpressApplication, origins: readonly string[]): void {
  if (origins.length === 0) return;
  app.enableCors({
    origin: [...origins],
    methods: METHODS,
    allowedHeaders: SENT,
    exposedHeaders: READ,
    credentials: false,
    maxAge: PREFLIGHT_KEPT_SECONDS,
  });
}

/**
 * Answers every error of every route, known or not, with a problem document. The report of a failed health check is the one
 * thing let through as it is: it is an answer that happens to travel as an exception.
 */
import {
  Catch,
  Inject,
  MethodNotAllowedException,
  NotFoundException,
  ServiceUnavailableException,
  type ArgumentsHost,
  type ExceptionFilter,
} from '@nestjs/common';
import type { Request, Response } from 'express';
import { requestIdOf } from '../request/request-id.js';
import { AllowedMethods } from './allowed-methods.js';
import { ProblemReporter } from './problem-reporter.js';
import { PROBLEM_MEDIA_TYPE, retryAfterSeconds } from './problem.js';

@Catch()
export class ProblemFilter implements ExceptionFilter {
  constructor(
    @Inject(ProblemReporter) private readonly reporter: ProblemReporter,
    @Inject(AllowedMethods) private readonly allowed: AllowedMethods,
  ) {}

  catch(thrown: unknown, host: ArgumentsHost): void {
    const request = host.switchToHttp().getRequest<Request>();
    const response = host.switchToHttp().getResponse<Response>();
    const health = healthReport(thrown);
    if (health !== null) {
      response.status(503).json(health);
      return;
    }
    const error = this.withMethods(thrown, request, response);
    const problem = this.reporter.report(error, requestIdOf(response));
    if (response.headersSent) {
      response.destroy();
      return;
    }
    if (problem.status === 401) {
      response.setHeader('WWW-Authenticate', problem.code === 'unauthenticated' ? 'Bearer' : 'Bearer error="invalid_token"');
    }
    if (problem.status === 408) {
      response.setHeader('Connection', 'close');
    }
    const retryAfter = retryAfterSeconds(error, problem.status);
    if (retryAfter !== null) {
      response.setHeader('Retry-After', String(retryAfter));
    }
    response.status(problem.status).type(PROBLEM_MEDIA_TYPE).send(JSON.stringify(problem));
  }

  private withMethods(error: unknown, request: Request, response: Response): unknown {
    const methods = error instanceof NotFoundException ? this.allowed.of(request.path) : [];
    if (methods.length === 0 || methods.includes(request.method)) {
      return error;
    }
    response.setHeader('Allow', methods.join(', '));
    return new MethodNotAllowedException();
  }
}

function healthReport(error: unknown): object | null {
  const body: unknown = error instanceof ServiceUnavailableException ? error.getResponse() : null;
  return typeof body === 'object' && body !== null && 'details' in body && 'info' in body ? body : null;
}

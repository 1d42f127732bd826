/**
 * Prints the OpenAPI document to standard output, without a database, a key or a port: the controllers are put together with
 * empty stand-ins for everything they call. `docs/openapi.json` is this output, and a test compares the two.
 */
import 'reflect-metadata';
import { Module } from '@nestjs/common';
import { NestFactory } from '@nestjs/core';
import { AuditLog } from '@app/audit';
import { ApiKeys, KeyMaker, KeyRevoker, KeyRotator, Revocations, RevocationStore } from '@app/auth';
import { Config } from '@app/config';
import { Clock } from '@app/lifecycle';
import { LimitBook, LimitSetter, TenantUsage } from '@app/limits';
import {
  BulkOperations,
  DeadLetters,
  Queues,
  TaskCanceller,
  TaskDiscarder,
  TaskReader,
  TaskRetrier,
  TaskSubmitter,
  TaskTimeline,
  TaskWaiter,
  Workers,
} from '@app/tasks';
import { API_CONTROLLERS } from './api/api.module.js';
import { buildOpenApiDocument } from './api/openapi/build-document.js';
import { ProblemReporter } from './api/problem/problem-reporter.js';
import { PayloadRules } from './api/tasks/payload-rules.js';
import { Planner } from './api/tasks/planner.js';

const CALLED = [
  ApiKeys,
  AuditLog,
  BulkOperations,
  Clock,
  Config,
  DeadLetters,
  KeyMaker,
  KeyRevoker,
  KeyRotator,
  LimitBook,
  LimitSetter,
  PayloadRules,
  Planner,
  ProblemReporter,
  Queues,
  Revocations,
  RevocationStore,
  TaskCanceller,
  TaskDiscarder,
  TaskReader,
  TaskRetrier,
  TaskSubmitter,
  TaskTimeline,
  TaskWaiter,
  TenantUsage,
  Workers,
];

@Module({ controllers: API_CONTROLLERS, providers: CALLED.map((provide) => ({ provide, useValue: {} })) })
class DocumentModule {}

const app = await NestFactory.create(DocumentModule, { logger: false });
process.stdout.write(`${JSON.stringify(buildOpenApiDocument(app), null, 2)}\n`);
await app.close();

/**
 * What the probes ask. `live`: the loops turn, and none fails for ever by itself; it never asks a dependency, because restarting
 * this process does not cure the database. `ready`: the database answers and takes writes, its schema is the one this build knows,
 * what the roles ask for at their start is there, and the process is not stopping. The whole view is both of them, and Redis, whose
 * absence makes the system slower and is therefore `degraded`, not down.
 */
import { Controller, Get, Inject, Res } from '@nestjs/common';
import { ApiExcludeController } from '@nestjs/swagger';
import { HealthCheckService, HealthIndicatorService, type HealthCheckResult, type HealthIndicatorResult } from '@nestjs/terminus';
import type { Response } from 'express';
import { Public } from '@app/auth';
import { Config } from '@app/config';
import { Database, isReadOnly, Schema, sql } from '@app/database';
import { Conditions, Drain, Loops, within } from '@app/lifecycle';
import { Doorbell, type Condition } from '@app/queue';
import { heartbeatLatency } from '@app/tasks';

const PROBE_MS = 3_000;
/** Changes no row, and is refused by a server that takes no writes. */
const WRITE_OF_NOTHING = sql`UPDATE workers SET heartbeat_at = heartbeat_at WHERE id = ${Buffer.alloc(16)}`;
/** The schema changes only by a migration; asking at every probe would be a query for nothing. */
const SCHEMA_CHECK_EVERY_MS = 30_000;

@ApiExcludeController()
@Public()
@Controller('health')
export class HealthController {
  private schemaCheckedAt = Number.NEGATIVE_INFINITY;

  constructor(
    @Inject(HealthCheckService) private readonly health: HealthCheckService,
    @Inject(HealthIndicatorService) private readonly indicator: HealthIndicatorService,
    @Inject(Database) private readonly database: Database,
    @Inject(Schema) private readonly schema: Schema,
    @Inject(Doorbell) private readonly doorbell: Doorbell,
    @Inject(Drain) private readonly drain: Drain,
    @Inject(Conditions) private readonly conditions: Conditions,
    @Inject(Loops) private readonly loops: Loops,
    @Inject(Config) private readonly config: Config,
  ) {}

  @Get('live')
  live(@Res({ passthrough: true }) response: Response): Promise<HealthCheckResult> {
    return this.answer(response, [() => this.loopsTurn()]);
  }

  @Get('ready')
  ready(@Res({ passthrough: true }) response: Response): Promise<HealthCheckResult> {
    return this.answer(response, [() => this.databaseAnswers(), () => this.conditionsMet(), () => this.notDraining()]);
  }

  @Get()
  async all(@Res({ passthrough: true }) response: Response): Promise<HealthCheckResult & { degraded: boolean; heartbeat: unknown }> {
    const result = await this.answer(response, [
      () => this.loopsTurn(),
      () => this.databaseAnswers(),
      () => this.conditionsMet(),
      () => this.notDraining(),
    ]);
    const [{ trouble, advice }, heartbeat] = await Promise.all([this.doorbellStands(), this.lastHeartbeat()]);
    const doorbell = { status: 'up' as const, rings: trouble === null, ...(trouble && { trouble }), ...(advice && { advice }) };
    return { ...result, details: { ...result.details, doorbell }, degraded: trouble !== null, heartbeat };
  }

  /** Terminus throws where a check is down; the answer is the same document with 503. */
  private async answer(
    response: Response,
    checks: (() => HealthIndicatorResult | Promise<HealthIndicatorResult>)[],
  ): Promise<HealthCheckResult> {
    response.setHeader('Cache-Control', 'no-store');
    try {
      return await this.health.check(checks);
    } catch (error) {
      const result = (error as { getResponse?: () => unknown }).getResponse?.();
      if (typeof result !== 'object' || result === null || !('status' in result)) throw error;
      response.status(503).setHeader('Retry-After', '2');
      return result as HealthCheckResult;
    }
  }

  private loopsTurn(): HealthIndicatorResult {
    const check = this.indicator.check('loops');
    const reports = this.loops.reports();
    const stuck = reports.filter(({ healthy }) => !healthy);
    const failing = reports.filter(({ faultsInARow }) => faultsInARow >= this.config.livenessLoopFailures);
    if (stuck.length + failing.length === 0) return check.up();
    return check.down({ stuck: stuck.map(({ name }) => name), failing: failing.map(({ name }) => name) });
  }

  private async databaseAnswers(): Promise<HealthIndicatorResult> {
    const check = this.indicator.check('database');
    try {
      await within(this.database.execute(WRITE_OF_NOTHING), PROBE_MS, 'the database');
    } catch (error) {
      const readOnly = error instanceof Error && isReadOnly(error.cause);
      return check.down({ reason: readOnly ? 'the database is read-only' : 'the database does not answer' });
    }
    try {
      if (performance.now() - this.schemaCheckedAt > SCHEMA_CHECK_EVERY_MS) {
        await within(this.schema.assert(), PROBE_MS, 'the schema');
        this.schemaCheckedAt = performance.now();
      }
    } catch {
      return check.down({ reason: 'the schema is not the one this build knows' });
    }
    return check.up();
  }

  private conditionsMet(): HealthIndicatorResult {
    const check = this.indicator.check('start');
    const unmet = this.conditions.unmet();
    return unmet.length === 0 ? check.up() : check.down({ reason: unmet.join('; ') });
  }

  private notDraining(): HealthIndicatorResult {
    const check = this.indicator.check('drain');
    return this.drain.draining ? check.down({ reason: 'this process is stopping' }) : check.up();
  }

  private async doorbellStands(): Promise<Condition> {
    try {
      return await within(this.doorbell.condition(), PROBE_MS, 'the doorbell');
    } catch {
      return { trouble: 'the doorbell does not answer', advice: null };
    }
  }

  private async lastHeartbeat(): Promise<unknown> {
    try {
      const beat = await within(heartbeatLatency(this.database), PROBE_MS, 'the heartbeat');
      return beat === null ? null : { latencyMs: beat.latencyMs, finishedAt: new Date(beat.finishedAt).toISOString() };
    } catch {
      return null;
    }
  }
}

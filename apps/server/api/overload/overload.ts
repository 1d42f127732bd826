/**
 * Sends requests away while this process has more than it can do: before anybody is authenticated, before a byte of a body is
 * read, with 503 and a time to come back that differs from client to client. Five measures decide, each with a bound at which it
 * begins and a lower one at which it ends: requests under way, statements that wait for a database connection, how long the first of
 * those has waited, the delay of the event loop, and a database that does not answer. The log tells of the beginning and of the end,
 * and not of every request.
 *
 * Probes of health are never sent away: an orchestrator that restarts what is busy makes it worse.
 */
import type { OnApplicationBootstrap, OnApplicationShutdown } from '@nestjs/common';
import type { NextFunction, Request, Response } from 'express';
import type { Config } from '@app/config';
import type { Database } from '@app/database';
import { Unavailable } from '@app/errors';
import { Loop, type Clock, type Loops, type Shutdown } from '@app/lifecycle';
import type { Logger } from '@app/telemetry';
import { Overloaded } from '../problem/api-errors.js';
import { DatabaseProbe } from './database-probe.js';
import { LoopDelay } from './loop-delay.js';
import { Valve } from './valve.js';

/** Which part of a bound a measure has to fall to. */
const RELEASE_SHARE = 0.8;
const DELAY_RELEASE_SHARE = 0.5;
const RETRY_MS_MIN = 1_000;
const RETRY_MS_SPREAD = 4_000;
const PROBE = 'overload.probe';
const PROBE_TICK_MS = 3_000;

type Cause =
  'requests in flight' | 'statements waiting for a connection' | 'long wait for a connection' | 'delay of the event loop' | 'database away';

export interface OverloadParts {
  readonly config: Config;
  readonly database: Database;
  readonly clock: Clock;
  readonly loops: Loops;
  readonly shutdown: Shutdown;
  readonly logger: Logger;
  /** 0 ≤ random() < 1; spreads the clients that are sent away. */
  readonly random: () => number;
}

export class Overload implements OnApplicationBootstrap, OnApplicationShutdown {
  private inFlight = 0;
  private sentAway = 0;
  private since: number | null = null;
  private loop: Loop | null = null;
  private readonly probe: DatabaseProbe;
  private readonly delay: LoopDelay;
  private readonly valves: Readonly<Record<'inFlight' | 'waiting' | 'wait' | 'delay', Valve>>;

  constructor(private readonly parts: OverloadParts) {
    const { config, database, clock } = parts;
    const valve = (bound: number, share = RELEASE_SHARE): Valve => new Valve(bound, Math.floor(bound * share));
    this.probe = new DatabaseProbe(database);
    this.delay = new LoopDelay(clock, () => {
      this.look();
    });
    this.valves = {
      inFlight: valve(config.overloadRequestsInFlight),
      waiting: valve(config.overloadPoolWaiters),
      wait: valve(config.overloadPoolWaitMs, DELAY_RELEASE_SHARE),
      delay: valve(config.overloadLoopDelayMs, DELAY_RELEASE_SHARE),
    };
  }

  onApplicationBootstrap(): void {
    const { clock, config, logger, loops, shutdown } = this.parts;
    this.loop = new Loop({
      name: PROBE,
      intervalMs: config.overloadProbeMs,
      tickMs: PROBE_TICK_MS,
      clock,
      tick: () => this.probe.ask(),
      onError: (err) => {
        logger.warn({ err }, 'The question whether the database is there failed in an unknown way.');
      },
    });
    loops.run(this.loop);
    this.delay.start();
    shutdown.on('close', PROBE, () => this.onApplicationShutdown());
  }

  async onApplicationShutdown(): Promise<void> {
    this.delay.stop();
    if (this.loop !== null) await this.parts.loops.stop(this.loop);
  }

  /** Lets a request in, or sends it away. */
  readonly gate = (request: Request, response: Response, next: NextFunction): void => {
    if (isProbe(request)) {
      next();
      return;
    }
    const cause = this.look();
    if (cause !== null) {
      this.sentAway += 1;
      next(this.refusal(cause));
      return;
    }
    this.inFlight += 1;
    response.once('close', () => {
      this.inFlight -= 1;
    });
    next();
  };

  /** Every valve is asked every time, or one that nobody asks would not open again. */
  private look(): Cause | null {
    const { valves, delay, inFlight, probe } = this;
    const isFull = valves.inFlight.isShutAt(inFlight);
    const isWaiting = valves.waiting.isShutAt(this.parts.database.waiting);
    const isSlow = valves.wait.isShutAt(this.parts.database.longestWaitMs);
    const isLate = valves.delay.isShutAt(delay.medianMs);
    const cause: Cause | null = probe.isAway
      ? 'database away'
      : isFull
        ? 'requests in flight'
        : isWaiting
          ? 'statements waiting for a connection'
          : isSlow
            ? 'long wait for a connection'
            : isLate
              ? 'delay of the event loop'
              : null;
    this.tell(cause);
    return cause;
  }

  private tell(cause: Cause | null): void {
    const { clock, database, logger } = this.parts;
    if (cause !== null && this.since === null) {
      this.since = clock.monotonic();
      const { waiting, longestWaitMs } = database;
      const [waitMs, loopDelayMs] = [longestWaitMs, this.delay.medianMs].map(Math.round);
      const measures = { inFlight: this.inFlight, waiting, waitMs, loopDelayMs };
      logger.warn({ cause, ...measures }, 'More than this process can do: requests are answered with 503.');
    } else if (cause === null && this.since !== null) {
      logger.info({ ms: Math.round(clock.monotonic() - this.since), sentAway: this.sentAway }, 'Requests are let in again.');
      this.since = null;
      this.sentAway = 0;
    }
  }

  private refusal(cause: Cause): Error {
    const retryAfterMs = Math.round(RETRY_MS_MIN + this.parts.random() * RETRY_MS_SPREAD);
    return cause === 'database away'
      ? new Unavailable('The database does not answer. Repeat the request after Retry-After.', { retryAfterMs })
      : new Overloaded(retryAfterMs);
  }
}

/** Also used by what else must not stand between a probe and its answer. */
export function isProbe(request: Request): boolean {
  return request.path === '/health' || request.path.startsWith('/health/');
}

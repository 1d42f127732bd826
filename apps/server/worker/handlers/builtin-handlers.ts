/** The handlers that every worker has, and those that its configuration adds. */
import type { Config } from '@app/config';
import type { HandlerDefinition } from '@app/handlers';
import { SystemClock } from '@app/lifecycle';
import { echo } from './echo.js';
import { heartbeat } from './heartbeat.js';
import { processRun } from './process-run/process-run.js';
import { sha256 } from './sha256.js';
import { sleep } from './sleep.js';

/** What decides which handlers there are, and what they may do. */
export type HandlersConfig = Pick<
  Config,
  'processRunAllow' | 'processRunDirectories' | 'processRunEnvAllow' | 'workerAbortGraceMs' | 'workerLeaseMs' | 'resultMaxBytes'
>;

export function builtinHandlers(config: HandlersConfig): readonly HandlerDefinition[] {
  const always = [echo, sha256, heartbeat(new SystemClock()), sleep];
  if (config.processRunAllow.length === 0) return always;
  const programs = processRun({
    programs: config.processRunAllow,
    variables: config.processRunEnvAllow,
    directories: config.processRunDirectories,
    abortGraceMs: config.workerAbortGraceMs,
    leaseMs: config.workerLeaseMs,
    resultBytesMax: config.resultMaxBytes,
  });
  return [...always, programs];
}

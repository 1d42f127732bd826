/**
 * Runs a program of the operator's list, without a shell, in a process group of its own and with an environment that holds
 * nothing of the worker's. It has ended, with everything it started, before the attempt is recorded, whatever ends it: its own
 * exit, a timeout, a cancel, a stop, or the death of the worker.
 */
import { realpath } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { sep } from 'node:path';
import { defineHandler, PermanentError, RetryableError, type HandlerDefinition, type TaskContext } from '@app/handlers';
import { FROZEN_SHARE } from '../../parent-watch.js';
import { Keeper, NotStarted } from './keeper.js';
import type { ProgramEnd, ProgramOrder } from './messages.js';
import { readRequest, type Allowance, type ProcessRequest } from './request.js';

export interface ProcessRunOptions extends Allowance {
  /** Where working directories may be; empty: anywhere. */
  readonly directories: readonly string[];
  /** How long the worker waits for an aborted handler, in ms. */
  readonly abortGraceMs: number;
  /** How long the worker's lease lasts, in ms: a program must have ended long before somebody else starts it. */
  readonly leaseMs: number;
  readonly resultBytesMax: number;
}

/** Share of the worker's grace after which SIGKILL follows SIGTERM; the rest is for the group to be gone and the end to be told. */
const KILL_SHARE = 0.6;
/**
 * Share of the lease after which it follows at the latest. A program is not told whether it is stopped because the lease is in doubt;
 * then a fifth of the lease is left, and the task must not run elsewhere beside it.
 */
const LEASE_SHARE = 0.1;
const MESSAGE_TAIL_MAX = 1_500;
const PATH = '/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin';

export function processRun(
  options: ProcessRunOptions,
  keeper: Pick<Keeper, 'run'> = new Keeper(Math.round(options.leaseMs * FROZEN_SHARE)),
): HandlerDefinition {
  return defineHandler({
    name: 'process.run',
    run: async (payload, context) => {
      const request = readRequest(payload, options);
      const order = await orderOf(request, context, options);
      context.signal.throwIfAborted();
      return outcomeOf(await started(keeper, order, context.signal), context.signal, options.resultBytesMax);
    },
  });
}

async function orderOf(request: ProcessRequest, context: TaskContext, options: ProcessRunOptions): Promise<ProgramOrder> {
  const { program, args, stdin, outputTailBytes } = request;
  return {
    program,
    args,
    stdin,
    outputTailBytes,
    cwd: request.cwd === null ? tmpdir() : await directoryOf(request.cwd, options.directories),
    env: { PATH, LANG: 'C.UTF-8', TASK_ID: context.id, TASK_ATTEMPT: String(context.attempt), ...request.env },
    killAfterMs: killAfterMs(options),
  };
}

function killAfterMs({ abortGraceMs, leaseMs }: ProcessRunOptions): number {
  return Math.round(Math.min(abortGraceMs * KILL_SHARE, leaseMs * LEASE_SHARE));
}

/** With every symbolic link resolved, or a link would lead out of the operator's folders. */
async function directoryOf(cwd: string, directories: readonly string[]): Promise<string> {
  const real = await realpath(cwd).catch(() => {
    throw new RetryableError({ message: 'The folder in "cwd" is not there.', code: 'directory-not-found' });
  });
  if (directories.length === 0) return real;
  const allowed = await Promise.all(directories.map((directory) => realpath(directory).catch(() => null)));
  const isInside = allowed.some(
    (folder) => folder !== null && (real === folder || real.startsWith(folder.endsWith(sep) ? folder : folder + sep)),
  );
  if (isInside) return real;
  throw new PermanentError('The folder in "cwd" is not in PROCESS_RUN_DIRECTORIES.', { code: 'directory-not-allowed' });
}

async function started(keeper: Pick<Keeper, 'run'>, order: ProgramOrder, signal: AbortSignal): Promise<ProgramEnd> {
  try {
    return await keeper.run(order, signal);
  } catch (error) {
    if (!(error instanceof NotStarted)) throw error;
    const { code: reason } = error;
    if (reason === 'ENOENT' || reason === 'ENOTDIR') {
      throw new RetryableError({ message: 'The program is not on this machine.', code: 'program-not-found' });
    }
    if (reason === 'EACCES' || reason === 'ENOEXEC') {
      throw new RetryableError({ message: 'The program may not be executed by this worker.', code: 'program-not-executable' });
    }
    throw new RetryableError({ message: error.message, code: 'process-not-started' });
  }
}

function outcomeOf(end: ProgramEnd, signal: AbortSignal, resultBytesMax: number): ProgramEnd {
  // What ends after it was told to stop has not done its work, whatever its exit code says.
  if (end.exitCode === 0 && !signal.aborted) return fitting(end, resultBytesMax);
  const how = end.signal === null ? `ended with exit code ${end.exitCode}` : `was ended by ${end.signal}`;
  const [name, text] = end.stderrTail.trim() === '' ? ['stdout', end.stdoutTail] : ['stderr', end.stderrTail];
  const tail = text.trim() === '' ? 'It wrote nothing.' : `The end of its ${name}: ${text.trim().slice(-MESSAGE_TAIL_MAX)}`;
  const why = signal.aborted ? ' after it was told to stop' : '';
  const code = signal.aborted ? 'process-stopped' : end.signal === null ? 'process-failed' : 'process-killed';
  throw new RetryableError({ message: `The program ${how}${why}, after ${end.durationMs} ms. ${tail}`, code });
}

/** Shortens the tails until the result is small enough to be stored: the program has succeeded, and its output is only a help. */
function fitting(end: ProgramEnd, resultBytesMax: number): ProgramEnd {
  let fit = end;
  while (Buffer.byteLength(JSON.stringify(fit)) > resultBytesMax && fit.stdoutTail.length + fit.stderrTail.length > 0) {
    fit = { ...fit, stdoutTail: latterHalf(fit.stdoutTail), stderrTail: latterHalf(fit.stderrTail) };
  }
  return fit;
}

function latterHalf(text: string): string {
  const half = text.slice(Math.ceil(text.length / 2));
  return /^[\uDC00-\uDFFF]/.test(half) ? half.slice(1) : half;
}

/** The handlers that every worker has. */
import type { HandlerDefinition } from '@app/handlers';
import { SystemClock } from '@app/lifecycle';
import { echo } from './echo.js';
import { heartbeat } from './heartbeat.js';
import { sha256 } from './sha256.js';
import { sleep } from './sleep.js';

export const BUILTIN_HANDLERS: readonly HandlerDefinition[] = Object.freeze([echo, sha256, heartbeat(new SystemClock()), sleep]);

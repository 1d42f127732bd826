/**
 * The error of an attempt that a sweeper has recorded. A worker that repeats a settlement tells by it whether a `lost` attempt of its
 * own name is a sweeper's, which makes it too late, or its own earlier one.
 */
import type { TaskError } from './task.js';

export const WORKER_LOST: TaskError = { code: 'worker-lost', message: 'The worker that ran this attempt is gone.' };

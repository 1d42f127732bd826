export { TaskRunnerError, type ErrorDetails, type ErrorKind, type FieldProblem } from './task-runner-error.js';
export { refusedPeer } from './refused-peer.js';
export {
  Draining,
  IdempotencyInProgress,
  IdempotencyKeyReused,
  InvalidConfiguration,
  InvalidRequest,
  InvalidState,
  MalformedRequest,
  NotFound,
  QuotaExceeded,
  TooManyLimits,
  TooManyOperations,
  TooManyPauses,
  Unavailable,
} from './catalogue.js';

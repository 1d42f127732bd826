export { DuplicateHandler, HandlersNotLoaded, InvalidHandler } from './boot-errors.js';
export { defineHandler } from './define-handler.js';
export type {
  AbandonContext,
  AbandonedResource,
  HandlerBackoff,
  HandlerDefinition,
  HandlerLogger,
  HandlerRetry,
  HeldResource,
  TaskContext,
} from './definition.js';
export { describeFailure, type FailureDescription } from './describe-failure.js';
export { KnownHandlers, type HandlerFacts } from './known-handlers.js';
export { effectiveRetry, type RetryDefaults } from './effective-retry.js';
export { replaceExit } from './replace-exit.js';
export { loadHandlerModule, loadHandlersFrom, type LoadedHandler } from './load-handlers.js';
export { readFacts, type FactsLimits } from './read-facts.js';
export { HandlerRegistry, type FoundHandler } from './registry.js';
export { serialiseResult, type SerialisedResult } from './serialise-result.js';
export { TaskHandler, taskHandlerOptions, type TaskHandlerOptions } from './task-handler.js';
export { DeferError, PermanentError, RetryableError, type ThrownDetails } from './thrown-errors.js';

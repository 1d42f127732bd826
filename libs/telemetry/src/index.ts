export { createLogger, Logger, LOG_LEVELS, type LogFields, type LoggerOptions, type LogLevel } from './logger.js';
export { NestLogger } from './nest-logger.js';
export { currentContext, runWithContext, type RequestContext } from './request-context.js';
export { RUNNING_CONTEXT } from './running-context.js';
export { repeatedLine, repeatedWarning } from './repeated-warning.js';

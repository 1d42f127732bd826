export { InvalidSchema, PayloadSchema } from './payload-schema.js';
export type { SchemaProblem } from './run.js';

/**
 * `node --import ./test/support/typescript.mjs file.ts` runs TypeScript in a plain Node process (the bench, Jest's global
 * setup), translated the same way as in the tests.
 */
import { register } from 'node:module';

register('./typescript-hooks.mjs', import.meta.url);

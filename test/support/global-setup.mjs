/**
 * Jest's global setup, once per run: provides the servers and tells the test processes where they are. Jest imports this file
 * as it is, without translation, so the TypeScript behind it is loaded through our own hooks.
 */
import './typescript.mjs';

export default async function setUp() {
  const { provideServers } = await import('./servers/provide.ts');
  globalThis.providedServers = await provideServers();
}

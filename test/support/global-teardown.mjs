/** Jest's global teardown: gives back what `global-setup.mjs` provided. Where Jest does not get this far, the reaper does it. */
export default async function tearDown() {
  await globalThis.providedServers?.release();
}

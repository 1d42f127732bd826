/** The machine's monotonic clock in ms: the same in every process, unlike `performance.now()`, and not moved by a skewed date. */
export function clockMs(): number {
  const [seconds, nanoseconds] = process.hrtime();
  return seconds * 1e3 + nanoseconds / 1e6;
}

/** What the wall clock shows at a moment of `clockMs`, ms since the epoch. */
export function wallTimeOf(at: number): number {
  return Date.now() + (at - clockMs());
}

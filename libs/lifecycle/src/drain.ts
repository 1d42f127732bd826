/**
 * Whether this process is stopping. One flag, read by readiness, by the api's waiting clients and by every loop that would
 * otherwise take new work.
 */
export class Drain {
  private readonly abort = new AbortController();

  get draining(): boolean {
    return this.abort.signal.aborted;
  }

  /** Fires once, when the process begins to stop. */
  get signal(): AbortSignal {
    return this.abort.signal;
  }

  begin(): void {
    this.abort.abort();
  }
}

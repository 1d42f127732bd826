/** Lets one piece of work run at a time, in the order it was handed in. One that fails does not keep the next from its turn. */
export class Turns {
  private last: Promise<void> = Promise.resolve();

  /** Resolves or rejects as `work` does, once everybody before it is done. */
  take<T>(work: () => T | Promise<T>): Promise<T> {
    const turn = this.last.then(work);
    this.last = turn.then(
      () => undefined,
      () => undefined,
    );
    return turn;
  }
}

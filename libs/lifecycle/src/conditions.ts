/** What a process needs before it may be called ready, besides its database. Whoever needs something says so at its start. */
export class Conditions {
  private readonly known: { readonly otherwise: string; readonly isMet: () => boolean }[] = [];

  /** `otherwise`: what is the matter while it is not met, for an operator. */
  require(otherwise: string, isMet: () => boolean): void {
    this.known.push({ otherwise, isMet });
  }

  /** What is the matter; empty where all is well. */
  unmet(): string[] {
    return this.known.flatMap(({ otherwise, isMet }) => (isMet() ? [] : [otherwise]));
  }
}

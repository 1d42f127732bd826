/**
 * Who is next where several want the same slots: start-time fair queueing, without a clock. Each flow carries a finish tag, in
 * turns over weight; the one with the lowest start tag is served, and its tag moves on by the inverse of its weight. A flow that
 * comes back after a pause starts at the current virtual time, so nobody saves up turns by being idle, and nobody who waits is
 * overtaken for ever: between two turns of a flow that keeps waiting, another gets its weight over that flow's weight of turns,
 * rounded up, and one more at most.
 *
 * Pure: it knows no queue, no clock and no database, and the same calls give the same answers.
 */

/** Somebody who wants slots. */
export interface Wanting {
  /** Who: the same text, the same flow. */
  readonly flow: string;
  /** Share against the others', more than 0. */
  readonly weight: number;
  /** The most slots it can use now. */
  readonly most: number;
}

/** Flows whose tags are remembered; of more, those that are not ahead of the others are forgotten, and then the oldest. */
const FLOWS_MAX = 10_000;

export class FairShares {
  /** Start tag of the flow that was served last. */
  private virtual = 0;
  private readonly finish = new Map<string, number>();

  constructor(private readonly flowsMax: number = FLOWS_MAX) {}

  /**
   * Deals out up to `slots`, turn by turn, and charges for them. Equal tags go to who comes first in `wanting`. Slots are left over
   * only where nobody wants them. The answer names those who got something.
   */
  deal(wanting: readonly Wanting[], slots: number): Map<string, number> {
    const { dealt, finish, virtual } = this.turns(wanting, slots);
    this.virtual = virtual;
    for (const [flow, tag] of finish) this.finish.set(flow, tag);
    this.forget();
    return dealt;
  }

  /** What `deal` would answer; nobody is charged. */
  plan(wanting: readonly Wanting[], slots: number): Map<string, number> {
    return this.turns(wanting, slots).dealt;
  }

  private turns(wanting: readonly Wanting[], slots: number): { dealt: Map<string, number>; finish: Map<string, number>; virtual: number } {
    let { virtual } = this;
    const open = wanting
      .filter(({ most }) => most > 0)
      .map((want) => ({ ...want, got: 0, start: Math.max(virtual, this.finish.get(want.flow) ?? 0) }));
    const served: typeof open = [];
    for (let left = slots; left > 0 && open.length > 0; left -= 1) {
      let next = 0;
      for (let index = 1; index < open.length; index += 1) if ((open[index]?.start ?? 0) < (open[next]?.start ?? 0)) next = index;
      const chosen = open[next];
      if (chosen === undefined) break;
      virtual = Math.max(virtual, chosen.start);
      chosen.start += 1 / chosen.weight;
      if (chosen.got === 0) served.push(chosen);
      chosen.got += 1;
      if (chosen.got === chosen.most) open.splice(next, 1);
    }
    return {
      dealt: new Map(served.map(({ flow, got }) => [flow, got])),
      finish: new Map(served.map(({ flow, start }) => [flow, start])),
      virtual,
    };
  }

  /** Charges for turns that were taken without asking, because nobody else wanted them. */
  charge(flow: string, weight: number, turns: number): void {
    if (turns <= 0) return;
    const start = Math.max(this.virtual, this.finish.get(flow) ?? 0);
    this.finish.set(flow, start + turns / weight);
    this.virtual = start + (turns - 1) / weight;
    this.forget();
  }

  /** Takes back the charge for turns that were dealt and could not be used. */
  refund(flow: string, weight: number, turns: number): void {
    const tag = this.finish.get(flow);
    if (tag !== undefined) this.finish.set(flow, tag - turns / weight);
  }

  /** A tag that is not ahead says the same as none. */
  private forget(): void {
    if (this.finish.size <= this.flowsMax) return;
    for (const [flow, tag] of this.finish) if (tag <= this.virtual) this.finish.delete(flow);
    for (const flow of this.finish.keys()) {
      if (this.finish.size <= this.flowsMax) return;
      this.finish.delete(flow);
    }
  }
}

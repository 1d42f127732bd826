/**
 * How this worker shares its slots between tenants, whichever way their tasks come in: named by messages at the door, or waiting in
 * the database. There is one account per lane, because lanes take turns by themselves, and in it one flow per queue and tenant. The
 * drawer says which places it has seen, so that a tenant at the door is not served before others that wait in the database.
 */
import { Inject, Injectable } from '@nestjs/common';
import { LimitBook } from '@app/limits';
import { LANES, type Lane } from '@app/queue';
import type { Backlog } from '@app/tasks';
import { FairShares, type Wanting } from './fair-shares.js';

/** A queue of a tenant. */
export type Flow = Pick<Backlog, 'queue' | 'tenant'>;

/** A flow with messages at the door, and how many tasks they name. */
export interface AtDoor extends Flow {
  tasks: number;
}

const keyOf = ({ queue, tenant }: Flow): string => `${queue} ${tenant}`;

@Injectable()
export class Sharing {
  private readonly lanes = new Map(LANES.map((lane) => [lane, { shares: new FairShares(), waiting: new Map<string, Backlog>() }]));

  constructor(@Inject(LimitBook) private readonly book: Pick<LimitBook, 'of'>) {}

  /** These places have tasks in the database, and no others. */
  seen(places: readonly Backlog[]): void {
    for (const { waiting } of this.lanes.values()) waiting.clear();
    for (const place of places) this.of(place.lane).waiting.set(keyOf(place), place);
  }

  /** The place had fewer tasks than were asked for. */
  emptied(place: Backlog): void {
    this.of(place.lane).waiting.delete(keyOf(place));
  }

  /** Whether others than these wait in the database for the same lane, and may be served. */
  othersWait(lane: Lane, flows: readonly Flow[], isClosed: (flow: Flow) => boolean): boolean {
    const { waiting } = this.of(lane);
    if (waiting.size === 0) return false;
    const keys = new Set(flows.map(keyOf));
    return [...waiting].some(([key, place]) => !keys.has(key) && !isClosed(place));
  }

  /** Tasks were taken without dealing, because there was room for all. */
  charge(lane: Lane, flow: Flow, tasks: number): void {
    this.of(lane).shares.charge(keyOf(flow), this.weightOf(flow), tasks);
  }

  /** Deals slots to places in the database: what each may claim. Slots that it does not use are given back with `refund`. */
  dealBacklog(lane: Lane, places: readonly Flow[], slots: number): (place: Flow) => number {
    const dealt = this.of(lane).shares.deal(
      places.map((place) => this.wanting(place, slots)),
      slots,
    );
    return (place) => dealt.get(keyOf(place)) ?? 0;
  }

  refund(lane: Lane, flow: Flow, slots: number): void {
    if (slots > 0) this.of(lane).shares.refund(keyOf(flow), this.weightOf(flow), slots);
  }

  /**
   * Deals slots between the door and the places in the database. Answers what each flow at the door may take, and how many slots are
   * left for the others: they are not charged for before they are served.
   */
  dealDoor(
    lane: Lane,
    door: readonly AtDoor[],
    slots: number,
    isClosed: (flow: Flow) => boolean,
  ): { mayTake: (flow: Flow) => number; left: number } {
    const { shares, waiting } = this.of(lane);
    const keys = new Set(door.map(keyOf));
    const others = [...waiting].filter(([key, place]) => !keys.has(key) && !isClosed(place));
    const dealt = shares.deal(
      [...door.map((flow) => this.wanting(flow, flow.tasks)), ...others.map(([, place]) => this.wanting(place, slots))],
      slots,
    );
    for (const [key, place] of others) this.refund(lane, place, dealt.get(key) ?? 0);
    const used = door.reduce((sum, flow) => sum + (dealt.get(keyOf(flow)) ?? 0), 0);
    return { mayTake: (flow) => dealt.get(keyOf(flow)) ?? 0, left: slots - used };
  }

  private wanting(flow: Flow, most: number): Wanting {
    return { flow: keyOf(flow), weight: this.weightOf(flow), most };
  }

  private weightOf({ tenant }: Flow): number {
    return this.book.of(tenant).weight;
  }

  private of(lane: Lane): { shares: FairShares; waiting: Map<string, Backlog> } {
    const account = this.lanes.get(lane);
    if (account === undefined) throw new RangeError(`no lane ${lane}`);
    return account;
  }
}

/**
 * How this worker shares its slots between tenants, whichever way their tasks come in: named by messages at the door, or waiting in
 * the database. There is one account per lane, because lanes take turns by themselves. It deals in two levels: first between tenants,
 * by their weights, and then between the queues of a tenant, in turn; whoever spreads his tasks over many queues gets no more by it. The
 * drawer says which places it has seen, so that a tenant at the door is not served before others that wait in the database.
 */
import { Inject, Injectable } from '@nestjs/common';
import { LimitBook } from '@app/limits';
import { LANES, type Lane } from '@app/queue';
import type { Backlog } from '@app/tasks';
import { FairShares } from './fair-shares.js';
import { keyOf, QueueTurns, type Flow, type Wanting } from './queue-turns.js';

export type { Flow } from './queue-turns.js';

/** A flow with messages at the door, and how many tasks they name. */
export interface AtDoor extends Flow {
  tasks: number;
}

interface Account {
  readonly shares: FairShares;
  readonly turns: QueueTurns;
  readonly waiting: Map<string, Backlog>;
}

@Injectable()
export class Sharing {
  private readonly lanes = new Map(
    LANES.map((lane): [Lane, Account] => [lane, { shares: new FairShares(), turns: new QueueTurns(), waiting: new Map() }]),
  );

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
  charge(lane: Lane, { tenant }: Flow, tasks: number): void {
    this.of(lane).shares.charge(tenant, this.weightOf(tenant), tasks);
  }

  /** Deals slots to places in the database: what each may claim. Slots that it does not use are given back with `refund`. */
  dealBacklog(lane: Lane, places: readonly Flow[], slots: number): (place: Flow) => number {
    const account = this.of(lane);
    const dealt = this.plan(
      account,
      places.map((place) => ({ ...place, most: slots })),
      slots,
    );
    return this.take(account, dealt);
  }

  refund(lane: Lane, { tenant }: Flow, slots: number): void {
    if (slots > 0) this.of(lane).shares.refund(tenant, this.weightOf(tenant), slots);
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
    const account = this.of(lane);
    const keys = new Set(door.map(keyOf));
    const others = [...account.waiting].filter(([key, place]) => !keys.has(key) && !isClosed(place)).map(([, place]) => place);
    const dealt = this.plan(
      account,
      [...door.map((flow) => ({ ...flow, most: flow.tasks })), ...others.map((place) => ({ ...place, most: slots }))],
      slots,
    );
    const used = dealt.filter((flow) => keys.has(keyOf(flow)));
    return { mayTake: this.take(account, used), left: slots - used.length };
  }

  /** Who gets a slot, one entry per slot; of one tenant in the order of its queues' turns. Nobody is charged. */
  private plan({ shares, turns }: Account, wanting: readonly Wanting[], slots: number): Flow[] {
    const byTenant = grouped(wanting);
    const wants = [...byTenant].map(([tenant, flows]) => this.want(tenant, sum(flows.map(({ most }) => most))));
    return [...shares.plan(wants, slots)].flatMap(([tenant, count]) => turns.next(byTenant.get(tenant) ?? [], count));
  }

  /** Charges for the slots, and answers how many of them each flow got. */
  private take({ shares, turns }: Account, dealt: readonly Flow[]): (flow: Flow) => number {
    const wants = [...grouped(dealt)].map(([tenant, flows]) => this.want(tenant, flows.length));
    shares.deal(wants, dealt.length);
    const counts = new Map<string, number>();
    for (const { flow, count } of inRows(dealt)) {
      turns.had(flow, count);
      counts.set(keyOf(flow), (counts.get(keyOf(flow)) ?? 0) + count);
    }
    return (flow) => counts.get(keyOf(flow)) ?? 0;
  }

  private want(tenant: string, most: number): { flow: string; weight: number; most: number } {
    return { flow: tenant, weight: this.weightOf(tenant), most };
  }

  private weightOf(tenant: string): number {
    return this.book.of(tenant).weight;
  }

  private of(lane: Lane): Account {
    const account = this.lanes.get(lane);
    if (account === undefined) throw new RangeError(`no lane ${lane}`);
    return account;
  }
}

const sum = (numbers: readonly number[]): number => numbers.reduce((total, number) => total + number, 0);

/** Turns of one flow that follow each other, as one: where one queue has a backlog, all of them do. */
function inRows(flows: readonly Flow[]): { flow: Flow; count: number }[] {
  const rows: { flow: Flow; count: number }[] = [];
  for (const flow of flows) {
    const last = rows.at(-1);
    if (last?.flow === flow) last.count += 1;
    else rows.push({ flow, count: 1 });
  }
  return rows;
}

function grouped<T extends Flow>(flows: readonly T[]): Map<string, T[]> {
  const byTenant = new Map<string, T[]>();
  for (const flow of flows) {
    const others = byTenant.get(flow.tenant);
    if (others === undefined) byTenant.set(flow.tenant, [flow]);
    else others.push(flow);
  }
  return byTenant;
}

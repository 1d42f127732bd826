/**
 * The queue port. A message says "these tasks may be claimable" and nothing more: the database is the truth, so an adapter may
 * lose, repeat, delay or reorder messages and only latency suffers. What it may not do is grow without bound or block.
 *
 * The tenant is part of every message, because the window of outstanding messages is counted per tenant: one tenant's burst
 * may not bury another's.
 */
import type { Lane } from './lanes.js';

/** Tasks of one tenant, queue and lane. */
export interface Ring {
  tenant: string;
  queue: string;
  lane: Lane;
  /** 16-byte ids. */
  ids: readonly Buffer[];
}

/** A message as it arrived. `receipt` is the adapter's own. */
export interface Delivery extends Ring {
  /** How long it has been at the door, in ms, by the adapter's clock; 0 where that cannot be told. */
  waitedMs: number;
  receipt: unknown;
}

/** What a message is finished with. */
export type Finished = Omit<Delivery, 'waitedMs'>;

export interface ReadOptions {
  /** How many tasks the caller has room for; a message that names more may still arrive. */
  tasks: number;
  /** In the order to ask them. */
  lanes: readonly Lane[];
  /** How long to wait for the first message, in ms. */
  blockMs: number;
  signal: AbortSignal;
}

/** Where a lane's readers stand, for telling a message that is still on its way from one that is lost. */
export interface Position {
  /** Messages in the lane that nobody has finished. */
  length: number;
  /** When the last delivered message was rung, in ms by the adapter's clock, or null where none was. */
  lastDeliveredAt: number | null;
  /** The adapter's clock, in ms, at the moment of asking. */
  now: number;
}

/** How the adapter stands, in words for an operator. */
export interface Condition {
  /** Why it takes no messages now; null where it does. */
  trouble: string | null;
  /** What to change before it hurts; null where all is well. */
  advice: string | null;
}

export interface DoorbellReader {
  /** Empty when nothing came in time, or when the signal has fired or the reader is closed. Throws when the adapter is away; the caller pauses and tries again. */
  read(options: ReadOptions): Promise<Delivery[]>;
  /** The tasks were claimed, or found unclaimable: forget the messages. Never throws; what stays is cleaned up later. */
  finish(deliveries: readonly Finished[]): Promise<void>;
  close(): Promise<void>;
}

export abstract class Doorbell {
  /** Whether a message for so many more tasks fits the window now. False while the adapter is away. */
  abstract admits(tenant: string, queue: string, lane: Lane, tasks: number): boolean;
  /** Sends messages; resolves when they are stored. Throws when one was not: the caller marks its tasks unrung. */
  abstract ring(rings: readonly Ring[]): Promise<void>;
  /**
   * A reader of one queue. `consumer` is unique to the worker process. A `polling` one never blocks (its `blockMs` is 0) and
   * shares a connection with all others of its kind, for workers that serve more queues than they may hold connections.
   */
  abstract open(queue: string, consumer: string, polling?: boolean): DoorbellReader;
  /** Null where the adapter is away. */
  abstract position(queue: string, lane: Lane): Promise<Position | null>;
  /** Drops messages that were delivered longer ago than `idleMs` and never finished, and readers that are gone. */
  abstract tidy(queue: string, idleMs: number): Promise<void>;
  /** Whether the adapter answers; it may do so and still take no messages. */
  abstract answers(): Promise<boolean>;
  /** Tries whether a message could be left now. Never throws. */
  abstract condition(): Promise<Condition>;
  abstract close(): Promise<void>;
}

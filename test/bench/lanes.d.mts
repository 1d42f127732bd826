export interface Lanes {
  readonly requests: number;
  readonly lanes: number;
  /** Null: as fast as the answers come. */
  readonly requestsPerSecond: number | null;
}

export interface LaneReport {
  readonly startedAt: number;
  readonly dueAt: Float64Array;
  readonly answeredMs: Float64Array;
}

export function clockMs(): number;
export interface Time {
  /** In ms. */
  now(): number;
  pause(ms: number): Promise<unknown>;
}

export function runLanes(lanes: Lanes, send: (request: number, lane: number) => Promise<void>, time?: Time): Promise<LaneReport>;

/**
 * The three lanes of a queue. A priority decides the lane; inside a lane the order is the order of arrival, because a strict
 * order by number would need a sorted structure that every worker fights over.
 */
export const LANES = ['high', 'normal', 'low'] as const;
export type Lane = (typeof LANES)[number];

export function laneOf(priority: number): Lane {
  if (priority > 0) return 'high';
  return priority === 0 ? 'normal' : 'low';
}

export const laneNumber = (lane: Lane): number => LANES.indexOf(lane);

export function laneAt(number: number): Lane {
  const lane = LANES[number];
  if (lane === undefined) throw new RangeError(`no lane ${number}`);
  return lane;
}

/** Out of eight reads, how often each lane is asked first: high five times, normal two, low one. So low never starves. */
const TURNS: readonly Lane[] = ['high', 'high', 'normal', 'high', 'high', 'normal', 'high', 'low'];

/** The order in which the `turn`-th read asks the lanes. */
export function laneOrder(turn: number): readonly Lane[] {
  const first = TURNS[turn % TURNS.length] ?? 'high';
  return [first, ...LANES.filter((lane) => lane !== first)];
}

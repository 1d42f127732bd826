/**
 * Whether something that a handler started still goes on after it has returned: a timer, a file operation, a child process, a
 * thread. An open connection does nothing by itself and does not count, so that a module may keep its pool for the next attempt.
 */
const ACTIVE: ReadonlySet<string> = new Set([
  ...['Timeout', 'Immediate', 'ProcessWrap', 'MessagePort', 'FSReqCallback', 'FSReqPromise'],
  ...['FSEventWrap', 'StatWatcher', 'HTTPCLIENTREQUEST', 'ZLIB'],
]);

export type Activity = ReadonlyMap<string, number>;

/** What goes on now, counted by kind. */
export function activity(resources: readonly string[] = process.getActiveResourcesInfo()): Activity {
  const counts = new Map<string, number>();
  for (const kind of resources) if (ACTIVE.has(kind)) counts.set(kind, (counts.get(kind) ?? 0) + 1);
  return counts;
}

/** Whether no more goes on than before. What ends within the same turn of the event loop is given that turn. */
export async function restedSince(before: Activity, now: () => Activity = activity): Promise<boolean> {
  const rested = (): boolean => [...now()].every(([kind, count]) => count <= (before.get(kind) ?? 0));
  if (rested()) return true;
  await new Promise((resolve) => setImmediate(resolve));
  return rested();
}

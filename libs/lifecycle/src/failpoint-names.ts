/**
 * Every place at which a process can be made to die or to stand still, between any two steps of the way of a task. Each name says
 * what has happened by then and what has not. `npm run failpoints` kills a process at each of them, many times.
 */
export const FAILPOINTS = {
  // api
  'submit.received': 'A submission is checked; nothing of it is in the database.',
  'submit.key-claimed': 'The idempotency key is inserted, its task is not, and nothing is committed.',
  'submit.committed': 'The task is committed; nothing has rung and the client has no answer.',
  'ring.sent': 'The message is in the stream; whoever rang does not know it yet.',
  'operate.locked': 'A task that an operator cancels or retries is locked; nothing is written.',
  'operate.committed': 'The cancellation or the retry is committed; nothing has rung and the client has no answer.',
  // worker: from the door to the handler
  'register.committed': 'The worker is in the register; it does not know it, and no heartbeat runs.',
  'read.delivered': 'Messages were delivered to this worker; nothing is claimed.',
  'claim.locked': 'Tasks of the backlog are locked in a transaction that is not committed; nothing is written.',
  'claim.committed': 'Tasks are claimed; the worker has not looked at the answer.',
  'claim.noted': 'Many tasks of the backlog are claimed, and only a note leads to them; the worker has not looked at the answer.',
  'claim.known': 'The worker knows what it has claimed; no handler has started and no message is acknowledged.',
  'ack.before': 'The claim is decided, handlers may run; the messages are not acknowledged.',
  'ack.done': 'The messages are acknowledged and deleted; handlers may run.',
  // worker: from the handler to the recorded outcome
  'run.starting': 'An attempt is about to begin; whether the lease still holds is not yet asked.',
  'run.started': 'The handler was called; it has not ended.',
  'run.ended': 'The handler has ended; its outcome is nowhere but in memory.',
  'settle.moved': 'Successes are written in a transaction that is not committed, and their rows are locked.',
  'settle.locked': 'Tasks to be settled are locked in a transaction; nothing is written.',
  'settle.committed': 'Outcomes are recorded; the worker does not know it.',
  'settle.known': 'The worker knows that an outcome is recorded; its slot is still taken.',
  // worker: coming back, and stopping
  'renew.dropped': 'A worker that was declared lost has dropped what it held; it has not said that it lives.',
  'renew.survived': 'It has said that it lives; it is not registered anew.',
  'drain.closed': 'A stopping worker reads nothing more; its row still says live.',
  'drain.retired': 'Its row says draining; handlers run on.',
  'drain.idle': 'All it held is recorded or given back; the heartbeat goes on.',
  'drain.stopped': 'Its row says stopped; the process is still there.',
  // scheduler
  'promote.locked': 'Due timers and their tasks are locked; nothing is written.',
  'promote.committed': 'Due tasks are queued; nothing has rung.',
  'notes.found': 'What still runs of noted claims is found; it is not live.',
  'notes.moved': 'It is live; the notes are still there.',
  'notes.cleared': 'Notes are gone, because nothing that they led to runs without being live; the loop does not know it.',
  'sweep.marked': 'A worker is marked lost; its tasks are still its own.',
  'sweep.locked': 'Tasks of a lost worker are locked; nothing is written.',
  'sweep.committed': 'Tasks of a lost worker are queued again; nothing has rung.',
  'expire.locked': 'Timers of tasks whose time is over are locked; nothing is written.',
  'expire.committed': 'Tasks whose time was over have ended; the loop does not know it.',
  'reconcile.found': 'Tasks without a message are found; they are not offered.',
  'reconcile.offered': 'They are offered; the loop does not know it.',
  'bulk.locked': 'Tasks that an operation over many means are locked; nothing is written.',
  'bulk.committed': 'They are moved, and how far the operation is says so; nothing has rung.',
  'tidy.claimed': 'Messages that a dead reader left are taken from it; they are not deleted.',
  'prune.selected': 'Tasks past their retention are found; none is locked.',
  'prune.locked': 'They are locked; nothing is deleted.',
  'prune.committed': 'They are deleted; the loop does not know it.',
} as const;

export type FailpointName = keyof typeof FAILPOINTS;

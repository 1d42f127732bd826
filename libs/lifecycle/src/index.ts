export { Clock, SystemClock } from './clock.js';
export { DeadlineExceeded, pause, within } from './deadline.js';
export { Drain } from './drain.js';
export { Loop, NodeTimers, type LoopOptions, type LoopReport, type Timers } from './loop.js';
export { Loops } from './loops.js';
export { LifecycleModule } from './lifecycle.module.js';
export { Shutdown, STAGES, type Stage } from './shutdown.js';
export { Turns } from './turns.js';

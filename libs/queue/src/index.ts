export { Doorbell, type Condition, type Delivery, type DoorbellReader, type Position, type ReadOptions, type Ring } from './doorbell.js';
export { InProcessDoorbell } from './in-process-doorbell.js';
export { laneAt, laneNumber, laneOf, laneOrder, LANES, type Lane } from './lanes.js';
export { RedisDoorbell } from './redis-doorbell.js';
export { QueueModule } from './queue.module.js';

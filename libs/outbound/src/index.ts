export type { OutboundAnswer } from './exchange.js';
export { OutboundClient, type OutboundMethod, type OutboundRequest } from './outbound-client.js';
export { OutboundFailed, OutboundRefused, type OutboundFailure } from './outbound-errors.js';
export { OutboundModule } from './outbound.module.js';
export { OwnHosts, type OwnSettings } from './own-hosts.js';
export type { OutboundSettings } from './policy.js';
export type { ResolveName } from './resolve-name.js';

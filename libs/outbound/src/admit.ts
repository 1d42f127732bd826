/**
 * Decides which addresses a request is connected to. A name is looked up once, here; if any of its addresses is forbidden the
 * request is, because which of them would be used is for the other side's name servers to play with. The connection is then made to
 * the addresses that were checked and to no others, so that a name which leads elsewhere a moment later changes nothing.
 */
import { OutboundFailed, UrlNotAllowed } from './outbound-errors.js';
import type { OwnHosts } from './own-hosts.js';
import type { Policy } from './policy.js';
import type { Target } from './read-target.js';
import type { ResolveName } from './resolve-name.js';

export interface Gate {
  readonly policy: Policy;
  readonly own: OwnHosts;
  readonly resolve: ResolveName;
}

/**
 * At least one address.
 * @throws UrlNotAllowed where the URL itself names a host of ours
 * @throws OutboundFailed `blocked-address`, or `connection-failed` where the name has no addresses
 */
export async function admit(target: Target, gate: Gate, signal: AbortSignal): Promise<readonly string[]> {
  const { policy, own, resolve } = gate;
  const { host, port, isAddress } = target;
  if (own.hasName(host) && (own.ports.has(port) || !isListed(target, host, policy))) {
    throw new UrlNotAllowed('names a host that may not be reached from here');
  }
  const addresses = isAddress ? [host] : await lookUp(host, resolve, signal);
  const ours = await own.addresses();
  for (const address of addresses) {
    const isOurs = ours.has(address) && (own.ports.has(port) || !isListed(target, address, policy));
    if (isOurs || !policy.allowsAddress(address, host)) throw new OutboundFailed('blocked-address');
  }
  return addresses;
}

/** A host of ours that is a neighbour of others is reached only where the operator means exactly it, and never on a port of ours. */
function isListed({ host }: Target, address: string, policy: Policy): boolean {
  return policy.listsName(host) || policy.listsAddress(address);
}

async function lookUp(name: string, resolve: ResolveName, signal: AbortSignal): Promise<readonly string[]> {
  try {
    const addresses = await resolve(name, signal);
    if (addresses.length > 0) return addresses;
  } catch (error) {
    throw new OutboundFailed('connection-failed', error);
  }
  throw new OutboundFailed('connection-failed');
}

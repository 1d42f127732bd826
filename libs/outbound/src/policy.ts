/**
 * What the operator allows. The names and addresses of `OUTBOUND_DENY` are always out; what `OUTBOUND_ALLOW` names comes next; then
 * decides whether the address is public. In the mode `allow-list-only` that last step allows nothing.
 */
import { BlockList } from 'node:net';
import type { Config, HostList, Network } from '@app/config';
import { familyOf, isDisguised, isPublic } from './forbidden-networks.js';

export type OutboundSettings = Pick<
  Config,
  | 'outboundMode'
  | 'outboundAllow'
  | 'outboundDeny'
  | 'outboundHttp'
  | 'outboundPorts'
  | 'outboundHeaders'
  | 'outboundCaFile'
  | 'outboundConnectTimeoutMs'
  | 'outboundTimeoutMaxMs'
  | 'outboundResponseMaxBytes'
>;

const HTTPS_PORT = 443;
const HTTP_PORT = 80;

export class Policy {
  private readonly allowedNames: ReadonlySet<string>;
  private readonly deniedNames: ReadonlySet<string>;
  private readonly allowed: BlockList;
  private readonly allowedExactly: BlockList;
  private readonly denied: BlockList;
  private readonly ports: ReadonlySet<number>;
  private readonly http: boolean;
  private readonly listOnly: boolean;

  constructor(settings: OutboundSettings) {
    this.allowedNames = new Set(settings.outboundAllow.names);
    this.deniedNames = new Set(settings.outboundDeny.names);
    this.allowed = listOf(settings.outboundAllow);
    this.allowedExactly = listOf({ networks: settings.outboundAllow.networks.filter(isSingle) });
    this.denied = listOf(settings.outboundDeny);
    this.http = settings.outboundHttp === 'allow';
    this.ports = new Set([HTTPS_PORT, ...(this.http ? [HTTP_PORT] : []), ...settings.outboundPorts]);
    this.listOnly = settings.outboundMode === 'allow-list-only';
  }

  allowsScheme(protocol: string): boolean {
    return protocol === 'https:' || (protocol === 'http:' && this.http);
  }

  allowsPort(port: number): boolean {
    return this.ports.has(port);
  }

  deniesName(name: string): boolean {
    return this.deniedNames.has(name);
  }

  /** The operator has written exactly this name into the list. */
  listsName(name: string): boolean {
    return this.allowedNames.has(name);
  }

  /** The operator has written exactly this address into the list, not only a network around it. */
  listsAddress(address: string): boolean {
    return contains(this.allowedExactly, address) && !isDisguised(address);
  }

  /** Whether a request for a host of this name (or for this address, where the host is one) may be connected to this address. */
  allowsAddress(address: string, host: string): boolean {
    if (familyOf(address) === null || isDisguised(address) || contains(this.denied, address)) return false;
    if (this.listsName(host) || contains(this.allowed, address)) return true;
    return !this.listOnly && isPublic(address);
  }
}

function isSingle({ family, prefix }: Network): boolean {
  return prefix === (family === 'ipv4' ? 32 : 128);
}

function listOf({ networks }: Pick<HostList, 'networks'>): BlockList {
  const list = new BlockList();
  for (const { address, prefix, family } of networks) list.addSubnet(address, prefix, family);
  return list;
}

function contains(list: BlockList, address: string): boolean {
  const family = familyOf(address);
  return family !== null && list.check(address, family);
}

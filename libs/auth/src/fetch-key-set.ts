/**
 * Fetches the document of an issuer's keys with the guarded client. The operator has written the address, so exactly its host and
 * its port may be reached, private or not, and nothing else; what `OUTBOUND_DENY` lists, and the ports of our own database and
 * Redis, stay out of reach here too. Its name is looked up as the names of our database and Redis are, by the system: a name of
 * the hosts file or of a cluster's search path is as good to an operator as one of the public DNS.
 */
import { lookup } from 'node:dns/promises';
import { isIP } from 'node:net';
import type { Config } from '@app/config';
import type { Clock } from '@app/lifecycle';
import { OutboundClient, OwnHosts, type OutboundSettings } from '@app/outbound';

/** Largest document that is read, in bytes. */
const DOCUMENT_MAX_BYTES = 262_144;
const JSON_TYPE = /^application\/([a-z0-9.-]+\+)?json\s*(;|$)/i;

type KeySetSettings = OutboundSettings & Pick<Config, 'authJwksTimeoutMs' | 'databaseUrl' | 'redisUrls' | 'host' | 'port'>;

/** A function that fetches the document; it throws where there is no answer, or not one of status 200 and JSON. */
export function keySetFetcher(url: string, settings: KeySetSettings, clock: Clock): () => Promise<string> {
  const timeoutMs = settings.authJwksTimeoutMs;
  const only: OutboundSettings = {
    outboundMode: 'allow-list-only',
    ...reachOf(new URL(url)),
    outboundDeny: settings.outboundDeny,
    outboundHttp: 'refuse',
    outboundHeaders: settings.outboundHeaders,
    outboundCaFile: settings.outboundCaFile,
    outboundConnectTimeoutMs: timeoutMs,
    outboundTimeoutMaxMs: timeoutMs,
    outboundResponseMaxBytes: DOCUMENT_MAX_BYTES,
  };
  const client = new OutboundClient(only, new OwnHosts(settings, clock), lookUpBySystem);
  return async () => {
    const request = { url, method: 'GET', headers: { accept: 'application/jwk-set+json, application/json' } } as const;
    const { status, headers, body } = await client.request({ ...request, timeoutMs, maxResponseBytes: DOCUMENT_MAX_BYTES });
    if (status !== 200) throw new Error(`The issuer answered with ${status} instead of its key set.`);
    if (!JSON_TYPE.test(headers.get('content-type') ?? '')) throw new Error('The issuer answered with something else than JSON.');
    return body.toString('utf8');
  };
}

async function lookUpBySystem(name: string): Promise<readonly string[]> {
  return (await lookup(name, { all: true })).map(({ address }) => address);
}

function reachOf({ hostname, port }: URL): Pick<OutboundSettings, 'outboundAllow' | 'outboundPorts'> {
  const host = hostname.replace(/^\[(.*)\]$/, '$1');
  const version = isIP(host);
  const networks =
    version === 0 ? [] : [{ address: host, family: version === 4 ? 'ipv4' : 'ipv6', prefix: version === 4 ? 32 : 128 } as const];
  return {
    outboundAllow: { names: version === 0 ? [host] : [], networks },
    outboundPorts: port === '' ? [] : [Number(port)],
  };
}

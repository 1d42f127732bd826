/**
 * Where a MySQL-family server is and how it is spoken to, from its URL: for the pools, and for the threads that have a connection of
 * their own. With TLS the certificate must come from a known authority and must have the expected name. The driver checks the second
 * only when asked, and then against the host it connects to; so where the certificate has another name, that name is given as the
 * host and the connection is opened here.
 */
import { connect, type Socket } from 'node:net';

/** How the server is verified; of plain texts, so that it can be handed to a thread. */
export interface DatabaseTls {
  /** PEM; null for the authorities that Node.js knows. */
  readonly ca: string | null;
  /** The name in the certificate, where it is not the host of the URL. */
  readonly servername: string | null;
}

/** Options for a connection or pool of mysql2. */
export interface ServerAddress {
  readonly host: string;
  readonly port: number;
  readonly user: string;
  readonly password: string;
  readonly database: string;
  readonly ssl?: { rejectUnauthorized: true; verifyIdentity: true; minVersion: 'TLSv1.2'; ca?: string };
  readonly stream?: () => Socket;
}

export function serverAddress(url: string, tls: 'off' | DatabaseTls): ServerAddress {
  const { hostname, port, username, password, pathname } = new URL(url);
  const server = {
    host: hostname.replace(/^\[|\]$/g, ''),
    port: port === '' ? 3306 : Number(port),
    user: decodeURIComponent(username),
    password: decodeURIComponent(password),
    database: decodeURIComponent(pathname.slice(1)),
  };
  if (tls === 'off') return server;
  const ssl = {
    rejectUnauthorized: true,
    verifyIdentity: true,
    minVersion: 'TLSv1.2',
    ...(tls.ca === null ? {} : { ca: tls.ca }),
  } as const;
  if (tls.servername === null) return { ...server, ssl };
  return {
    ...server,
    ssl,
    host: tls.servername,
    stream: () => connect({ host: server.host, port: server.port, noDelay: true, keepAlive: true }),
  };
}

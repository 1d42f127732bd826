/** Settings of the requests that are made on a user's behalf: callbacks, the handler `http.request`, key sets of issuers. */
import { headerNames } from './header-names.js';
import { hostList } from './host-list.js';
import { portList } from './port-list.js';
import { choice, integer, text, toggle } from './setting.js';

export const OUTBOUND_SETTINGS = {
  OUTBOUND_MODE: choice({
    values: ['public', 'allow-list-only'],
    fallback: 'public',
    doc: 'Whether requests on behalf of users may go to every public address, or only to what `OUTBOUND_ALLOW` lists.',
  }),
  OUTBOUND_ALLOW: hostList({
    doc: 'Where requests on behalf of users may go although it is private: exact names, which may then lead anywhere, and addresses.',
  }),
  OUTBOUND_DENY: hostList({
    doc: 'Where they may never go, such as the names and addresses under which this service itself is reached; it wins over `OUTBOUND_ALLOW`.',
  }),
  OUTBOUND_HTTP: choice({
    values: ['refuse', 'allow'],
    fallback: 'refuse',
    doc: 'Whether such requests may go without TLS, as `http://` on port 80.',
  }),
  OUTBOUND_PORTS: portList({ doc: 'Ports such requests may use besides 443, and 80 where `OUTBOUND_HTTP` allows it.' }),
  OUTBOUND_HEADERS: headerNames({
    doc: 'Headers that users may set besides `Accept`, `Accept-Language`, `Authorization`, `Content-Type` and `X-…`.',
  }),
  OUTBOUND_CA_FILE: text({
    fallback: null,
    pattern: /^[^\0]{1,4096}$/,
    accepts: 'the path of a PEM file',
    doc: 'Certificates of authorities that are trusted besides the public ones.',
  }),
  OUTBOUND_CONNECT_TIMEOUT_MS: integer({
    fallback: 10_000,
    min: 100,
    max: 60_000,
    unit: 'ms',
    doc: 'How long such a request may take from the look-up of the name to the last header of the answer.',
  }),
  OUTBOUND_TIMEOUT_MAX_MS: integer({
    fallback: 30_000,
    min: 100,
    max: 600_000,
    unit: 'ms',
    doc: 'How long such a request may take altogether, whatever it asks for.',
  }),
  OUTBOUND_RESPONSE_MAX_BYTES: integer({
    fallback: 65_536,
    min: 1_024,
    max: 16_777_216,
    unit: 'bytes',
    doc: 'Largest body of an answer, whatever a request asks for.',
  }),
  HTTP_REQUEST: toggle({
    roles: ['worker'],
    fallback: false,
    doc: 'Whether there is a handler `http.request`, with which tasks send requests under the rules of `OUTBOUND_…`.',
  }),
} as const;

/** The client for requests on a user's behalf with a name server of the test's own: names lead where the test says, every time anew. */
import { loadConfig, type Environment } from '@app/config';
import { SystemClock } from '@app/lifecycle';
import { OutboundClient, OwnHosts } from '@app/outbound';

export interface Names {
  /** Answers of the name server for one name, one look-up after the other; the last one stays. */
  [name: string]: readonly (readonly string[])[];
}

export interface NamedClient {
  readonly client: OutboundClient;
  /** What was looked up, in order. */
  readonly lookUps: string[];
}

export function clientWith(env: Environment, names: Names = {}): NamedClient {
  const config = loadConfig(env);
  const lookUps: string[] = [];
  const client = new OutboundClient(config, new OwnHosts(config, new SystemClock()), (name) => {
    const answers = names[name] ?? [];
    const answer = answers[Math.min(lookUps.filter((one) => one === name).length, answers.length - 1)];
    lookUps.push(name);
    return answer === undefined ? Promise.reject(new Error(`queryA ENOTFOUND ${name}`)) : Promise.resolve(answer);
  });
  return { client, lookUps };
}

/**
 * Says of every authenticated request whether it may come now: by the rate of its tenant, and by that of its credential, which is a
 * share of the tenant's, so that one leaked or looping credential leaves room for the others. A request costs one, whatever it
 * carries: it is judged before its body is read, and how many tasks a tenant may bring is the matter of quotas. Rates are read from
 * the book of limits at every request; a change holds at once.
 */
import type { Clock } from '@app/lifecycle';
import { Allowance, type LeaseTerms } from './rate-allowance.js';
import type { Limited } from './rate-errors.js';
import { Remembered } from './rate-memory.js';
import { paceOf, type Pace } from './rate-pace.js';
import { scopeOf } from './rate-scope.js';
import type { RateTaker } from './rate-taker.js';

/** How long to tell somebody to wait who may not send anything, in ms: nothing but a change of the limit will help. */
const FORBIDDEN_MS = 60_000;
const WINDOW_SECONDS = 60;

export interface RateOptions extends LeaseTerms {
  /** How much of its tenant's rate one credential may use, 1 to 100. */
  readonly credentialPercent: number;
  /** How many tenants, and how many credentials, are remembered. */
  readonly rememberedMax: number;
}

export interface TenantRate {
  readonly 'requests.perMinute': number;
  readonly 'requests.burst': number;
}

/** What a tenant may; the book of limits. */
export interface Rates {
  of(tenant: string): TenantRate;
}

export interface Caller {
  readonly tenant: string;
  readonly credential: string;
}

export interface Admission {
  /** Null where the request may pass; otherwise whose rate is used up, and in how many ms one may pass. */
  readonly refused: { readonly who: Limited; readonly waitMs: number } | null;
  /** For the header `RateLimit-Policy`: requests `q` in `w` seconds, in the long run. */
  readonly policy: string;
  /** For the header `RateLimit`: how many could pass at once, `r`, and in how many seconds it would be the whole burst again, `t`. */
  readonly state: string;
}

/** The paces of a tenant and of one of its credentials. */
interface Plan {
  readonly rate: TenantRate;
  readonly tenant: Pace;
  readonly credential: Pace;
  readonly policy: string;
}

/** One tenant in memory, with the plan that was made from its rate last. */
interface Account {
  plan: Plan | null;
  readonly allowance: Allowance;
}

export class RateLimiter {
  private readonly tenants: Remembered<Account>;
  private readonly credentials: Remembered<Allowance>;

  constructor(
    private readonly rates: Rates,
    private readonly taker: RateTaker,
    private readonly clock: Clock,
    private readonly options: RateOptions,
  ) {
    const allowance = (kind: 'tenant' | 'credential', key: string): Allowance =>
      new Allowance(scopeOf(kind, key), this.taker, this.options, this.clock);
    this.tenants = new Remembered(options.rememberedMax, (tenant) => ({ plan: null, allowance: allowance('tenant', tenant) }));
    this.credentials = new Remembered(options.rememberedMax, (key) => allowance('credential', key));
  }

  /** How many tenants and credentials are in memory. */
  get remembered(): number {
    return this.tenants.size + this.credentials.size;
  }

  /** A promise where the database has to be asked, which ends within the terms and never rejects. */
  admit({ tenant, credential }: Caller): Admission | Promise<Admission> {
    const account = this.tenants.of(tenant);
    const plan = this.planOf(account, this.rates.of(tenant));
    if (plan.tenant.perMinute === 0 || plan.tenant.burst === 0) {
      return { refused: { who: 'tenant', waitMs: FORBIDDEN_MS }, policy: plan.policy, state: `"tenant";r=0;t=${WINDOW_SECONDS}` };
    }
    const own = this.credentials.of(`${tenant}\0${credential}`);
    const first = own.take(plan.credential);
    if (typeof first !== 'number') return this.proceedTogether(first, own, account.allowance, plan);
    if (first > 0) return admission('credential', first, own, account.allowance, plan);
    const second = account.allowance.take(plan.tenant);
    if (typeof second === 'number') return conclude(first, second, own, account.allowance, plan);
    return second.then((waitMs) => conclude(first, waitMs, own, account.allowance, plan));
  }

  /** Where the store has to be asked about the credential, it is asked about the tenant in the same breath: who comes rarely needs both. */
  private async proceedTogether(first: Promise<number>, own: Allowance, all: Allowance, plan: Plan): Promise<Admission> {
    const [ownWaitMs, allWaitMs] = await Promise.all([first, all.take(plan.tenant)]);
    return conclude(ownWaitMs, allWaitMs, own, all, plan);
  }

  /** The same plan while the rate is the same: an allowance takes another one for a change. */
  private planOf(account: Account, rate: TenantRate): Plan {
    const known = account.plan;
    if (known?.rate === rate || (known !== null && isSame(known.rate, rate))) return known;
    const share = (of: number): number => Math.ceil((of * this.options.credentialPercent) / 100);
    const { 'requests.perMinute': perMinute, 'requests.burst': burst } = rate;
    const tenant = paceOf({ perMinute, burst });
    const credential = paceOf({ perMinute: share(perMinute), burst: share(burst) });
    const policy = `"credential";q=${credential.perMinute};w=${WINDOW_SECONDS}, "tenant";q=${tenant.perMinute};w=${WINDOW_SECONDS}`;
    account.plan = { rate, tenant, credential, policy };
    return account.plan;
  }
}

function isSame(one: TenantRate, other: TenantRate): boolean {
  return one['requests.perMinute'] === other['requests.perMinute'] && one['requests.burst'] === other['requests.burst'];
}

/** Who is refused for one has not cost the other anything. */
function conclude(ownWaitMs: number, allWaitMs: number, own: Allowance, all: Allowance, plan: Plan): Admission {
  if (ownWaitMs > 0) {
    if (allWaitMs === 0) all.giveBack(plan.tenant);
    return admission('credential', ownWaitMs, own, all, plan);
  }
  if (allWaitMs > 0) {
    own.giveBack(plan.credential);
    return admission('tenant', allWaitMs, own, all, plan);
  }
  return admission(null, 0, own, all, plan);
}

function admission(who: Limited | null, waitMs: number, own: Allowance, all: Allowance, { policy, credential, tenant }: Plan): Admission {
  const state = `"credential";${stateOf(own, credential)}, "tenant";${stateOf(all, tenant)}`;
  return { refused: who === null ? null : { who, waitMs }, policy, state };
}

function stateOf(allowance: Allowance, pace: Pace): string {
  const { remaining, fullInMs } = allowance.outlook(pace);
  return `r=${remaining};t=${Math.ceil(fullInMs / 1_000)}`;
}

/** A book of limits that a test writes itself; who is not in it has what the settings say. */
import { loadConfig } from '@app/config';
import { defaultLimits, type TenantLimits } from '@app/limits';

export class FixedLimits {
  private readonly everyone = defaultLimits(loadConfig({}));
  private readonly tenants = new Map<string, TenantLimits>();

  of(tenant: string): TenantLimits {
    return this.tenants.get(tenant) ?? this.everyone;
  }

  set(tenant: string, limits: Partial<TenantLimits>): void {
    this.tenants.set(tenant, { ...this.of(tenant), ...limits });
  }
}

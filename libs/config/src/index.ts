export { readDatabaseAddress, type DatabaseAddress } from './addresses.js';
export { Config, type ConfigValues } from './config.js';
export { isolateEnvironment, readEnvironment } from './environment.js';
export type { HostList, Network } from './host-list.js';
export { loadConfig, type Environment } from './load.js';
export { ROLES, type Role } from './setting.js';
export { configurationTable, withConfigurationTable } from './table.js';
export { plainCredentials } from './transport-rules.js';

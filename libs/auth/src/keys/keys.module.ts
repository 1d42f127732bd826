/** Makes the actors of the API keys, on the database. Global: the guard asks them, whichever module it stands in. */
import { Global, Module, type Provider } from '@nestjs/common';
import { Config } from '@app/config';
import { Database, RowIds } from '@app/database';
import { Clock } from '@app/lifecycle';
import { AuthModule } from '../auth.module.js';
import { ApiKeys } from './api-keys.js';
import { KeyPepper } from './key-pepper.js';
import { KeyRows } from './key-rows.js';
import { KeyUses } from './key-uses.js';
import { KeyUsesLoop } from './key-uses-loop.js';
import { KeyMaker } from './make.js';
import { KeyRevoker } from './revoke.js';
import { KeyRotator } from './rotate.js';

const made: Provider[] = [
  { provide: ApiKeys, inject: [Database], useFactory: (database: Database) => new ApiKeys(database) },
  { provide: KeyUses, inject: [Database], useFactory: (database: Database) => new KeyUses(database) },
  {
    provide: KeyRows,
    inject: [Database, Clock, Config],
    useFactory: (database: Database, clock: Clock, config: Config) => new KeyRows(database, clock, config.authKeyCacheMs),
  },
  {
    provide: KeyMaker,
    inject: [Database, RowIds, KeyPepper, ApiKeys, Config],
    useFactory: (database: Database, ids: RowIds, pepper: KeyPepper, keys: ApiKeys, config: Config) =>
      new KeyMaker(database, ids, pepper, keys, { activeMax: config.authKeysMax, lifetimeMaxMs: config.authKeyLifetimeMaxMs }),
  },
  {
    provide: KeyRotator,
    inject: [Database, RowIds, KeyPepper, ApiKeys, KeyRows, Config],
    useFactory: (database: Database, ids: RowIds, pepper: KeyPepper, keys: ApiKeys, rows: KeyRows, config: Config) =>
      new KeyRotator(database, ids, pepper, keys, rows, config.authKeyOverlapMaxMs),
  },
  {
    provide: KeyRevoker,
    inject: [Database, RowIds, ApiKeys, KeyRows],
    useFactory: (database: Database, ids: RowIds, keys: ApiKeys, rows: KeyRows) => new KeyRevoker(database, ids, keys, rows),
  },
];

@Global()
@Module({ imports: [AuthModule], providers: [...made, KeyUsesLoop], exports: made })
export class KeysModule {}

/** Gives an application with a database its revocations: where they are kept, and what this process knows of them. */
import { Global, Module } from '@nestjs/common';
import { Config } from '@app/config';
import { Database, RowIds } from '@app/database';
import { Clock } from '@app/lifecycle';
import { FollowRevocations } from './follow-revocations.js';
import { RevocationStore } from './revocation-store.js';
import { Revocations } from './revocations.js';

@Global()
@Module({
  providers: [
    {
      provide: RevocationStore,
      inject: [Database, RowIds, Config],
      useFactory: (database: Database, ids: RowIds, config: Config) =>
        // A token may be issued by a clock that is ahead, and be used for as long again after its end.
        new RevocationStore(database, ids, {
          keptMs: config.authTokenLifetimeMaxMs + 2 * config.authLeewayMs,
          max: config.authRevocationsMax,
        }),
    },
    {
      provide: Revocations,
      inject: [RevocationStore, Clock, Config],
      useFactory: (store: RevocationStore, clock: Clock, config: Config) => new Revocations(store, clock, config.authRevocationStaleMs),
    },
    FollowRevocations,
  ],
  exports: [RevocationStore, Revocations],
})
export class RevocationsModule {}

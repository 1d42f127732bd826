/** Gives every role the one client for requests on a user's behalf. */
import { Global, Module } from '@nestjs/common';
import { Config } from '@app/config';
import { Clock } from '@app/lifecycle';
import { OutboundClient } from './outbound-client.js';
import { OwnHosts } from './own-hosts.js';

@Global()
@Module({
  providers: [
    {
      provide: OutboundClient,
      inject: [Config, Clock],
      useFactory: (config: Config, clock: Clock) => new OutboundClient(config, new OwnHosts(config, clock)),
    },
  ],
  exports: [OutboundClient],
})
export class OutboundModule {}

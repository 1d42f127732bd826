/** Gives every role the audit log to read; whoever changes something writes its entry in the transaction of the change. */
import { Global, Module } from '@nestjs/common';
import { Database } from '@app/database';
import { AuditLog } from './audit-log.js';

@Global()
@Module({
  providers: [{ provide: AuditLog, inject: [Database], useFactory: (database: Database) => new AuditLog(database) }],
  exports: [AuditLog],
})
export class AuditModule {}

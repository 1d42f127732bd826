export { AuditLog, recordAudit, type AuditEntry, type AuditFilter, type AuditView } from './audit-log.js';
export { AuditModule } from './audit.module.js';
export { AUDIT_ENTITIES } from './entities.js';

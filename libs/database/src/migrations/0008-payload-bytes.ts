/**
 * How heavy the payload of a task is, beside it: whoever counts what a tenant uses need not read the payloads. Rows that are there
 * say 0, which no payload is, and are measured when they are counted; nobody has to wait for a large table to be rewritten.
 */
import type { MigrationInterface, QueryRunner } from 'typeorm';
import { ddlWords } from './ddl.js';

export class PayloadBytes0000000000008 implements MigrationInterface {
  readonly name = 'PayloadBytes0000000000008';

  async up(runner: QueryRunner): Promise<void> {
    // One that was interrupted finds it there.
    if (await runner.hasColumn('tasks', 'payload_bytes')) return;
    const words = ddlWords(runner.dataSource.options.type);
    await runner.query(`ALTER TABLE ${words.name('tasks')} ADD COLUMN ${words.name('payload_bytes')} ${words.count} DEFAULT 0 NOT NULL`);
  }

  async down(runner: QueryRunner): Promise<void> {
    const words = ddlWords(runner.dataSource.options.type);
    await runner.query(`ALTER TABLE ${words.name('tasks')} DROP COLUMN ${words.name('payload_bytes')}`);
  }
}

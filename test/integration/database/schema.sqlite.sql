CREATE TABLE "api_key_turns" (
  "tenant" text NOT NULL,
  "taken_at" integer NOT NULL,
  PRIMARY KEY ("tenant")
) STRICT;

CREATE TABLE "api_keys" (
  "id" blob NOT NULL,
  "tenant" text NOT NULL,
  "name" text NOT NULL,
  "scopes" text NOT NULL,
  "secret_hash" blob NOT NULL,
  "previous_hash" blob NOT NULL,
  "previous_until" integer DEFAULT 0 NOT NULL,
  "made_by" blob NOT NULL,
  "created_by" text NOT NULL,
  "created_at" integer NOT NULL,
  "expires_at" integer NOT NULL,
  "rotated_at" integer DEFAULT 0 NOT NULL,
  "revoked_at" integer DEFAULT 0 NOT NULL,
  "last_used_at" integer DEFAULT 0 NOT NULL,
  CONSTRAINT "ck_api_keys_life" CHECK (expires_at > created_at AND previous_until <= expires_at),
  PRIMARY KEY ("id")
) STRICT;

CREATE INDEX "ix_api_keys_tenant" ON "api_keys" ("tenant", "id");

CREATE TABLE "attempts" (
  "task_id" blob NOT NULL,
  "attempt" integer NOT NULL,
  "outcome" text NOT NULL,
  "worker_id" blob NOT NULL,
  "started_at" integer NOT NULL,
  "finished_at" integer NOT NULL,
  "error_code" text NOT NULL,
  "error_message" text NOT NULL,
  "result" text NULL,
  CONSTRAINT "ck_attempts_outcome" CHECK (outcome IN ('succeeded','failed','timed_out','cancelled','lost','released','snoozed')),
  PRIMARY KEY ("task_id", "attempt")
) STRICT;

CREATE TABLE "audit_entries" (
  "id" blob NOT NULL,
  "tenant" text NOT NULL,
  "at" integer NOT NULL,
  "actor" text NOT NULL,
  "action" text NOT NULL,
  "target" text NOT NULL,
  "reason" text NOT NULL,
  "detail" text NOT NULL,
  PRIMARY KEY ("id")
) STRICT;

CREATE INDEX "ix_audit_entries_tenant" ON "audit_entries" ("tenant", "id");

CREATE TABLE "bulk_operations" (
  "id" blob NOT NULL,
  "tenant" text NOT NULL,
  "action" text NOT NULL,
  "filter" text NOT NULL,
  "state" text NOT NULL,
  "rate_per_second" integer NOT NULL,
  "cursor_id" blob NOT NULL,
  "examined" integer DEFAULT 0 NOT NULL,
  "done" integer DEFAULT 0 NOT NULL,
  "skipped" integer DEFAULT 0 NOT NULL,
  "refusals" integer DEFAULT 0 NOT NULL,
  "next_at" integer NOT NULL,
  "requested_by" text NOT NULL,
  "reason" text NOT NULL,
  "error" text NOT NULL,
  "created_at" integer NOT NULL,
  "updated_at" integer NOT NULL,
  "finished_at" integer DEFAULT 0 NOT NULL,
  CONSTRAINT "ck_bulk_operations_finished" CHECK ((finished_at > 0) = (state <> 'running')),
  CONSTRAINT "ck_bulk_operations_words" CHECK (action IN ('retry','cancel','discard') AND state IN ('running','finished','aborted','failed')),
  PRIMARY KEY ("id")
) STRICT;

CREATE INDEX "ix_bulk_operations_due" ON "bulk_operations" ("state", "next_at");

CREATE INDEX "ix_bulk_operations_tenant" ON "bulk_operations" ("tenant", "id");

CREATE TABLE "cancel_requests" (
  "task_id" blob NOT NULL,
  "worker_id" blob NOT NULL,
  "requested_at" integer NOT NULL,
  "requested_by" text NOT NULL,
  PRIMARY KEY ("task_id")
) STRICT;

CREATE INDEX "ix_cancel_requests_worker" ON "cancel_requests" ("worker_id");

CREATE TABLE "claim_notes" (
  "first_id" blob NOT NULL,
  "attempt" integer NOT NULL,
  "claimed_at" integer NOT NULL,
  "last_id" blob NOT NULL,
  "tenant" text NOT NULL,
  "queue" text NOT NULL,
  "lane" integer NOT NULL,
  "worker_id" blob NOT NULL,
  PRIMARY KEY ("first_id", "attempt", "claimed_at")
) STRICT;

CREATE INDEX "ix_claim_notes_tenant" ON "claim_notes" ("tenant");

CREATE TABLE "idempotency_keys" (
  "tenant" text NOT NULL,
  "key_hash" blob NOT NULL,
  "fingerprint" blob NOT NULL,
  "task_id" blob NOT NULL,
  "created_at" integer NOT NULL,
  PRIMARY KEY ("tenant", "key_hash")
) STRICT;

CREATE INDEX "ix_idempotency_keys_created" ON "idempotency_keys" ("created_at");

CREATE TABLE "limits" (
  "tenant" text NOT NULL,
  "queue" text NOT NULL,
  "name" text NOT NULL,
  "value" integer NOT NULL,
  "set_at" integer NOT NULL,
  "set_by" text NOT NULL,
  "reason" text NOT NULL,
  CONSTRAINT "ck_limits_value" CHECK (value >= 0),
  PRIMARY KEY ("tenant", "queue", "name")
) STRICT;

CREATE TABLE "migrations" ("id" integer PRIMARY KEY AUTOINCREMENT NOT NULL, "timestamp" bigint NOT NULL, "name" varchar NOT NULL);

CREATE TABLE "queues" (
  "tenant" text NOT NULL,
  "name" text NOT NULL,
  "paused_at" integer DEFAULT 0 NOT NULL,
  "paused_by" text NOT NULL,
  "created_at" integer NOT NULL,
  PRIMARY KEY ("tenant", "name")
) STRICT;

CREATE TABLE "rate_states" (
  "scope" blob NOT NULL,
  "tat" integer NOT NULL,
  "taken" integer NOT NULL,
  PRIMARY KEY ("scope")
) STRICT;

CREATE TABLE "running_turns" (
  "tenant" text NOT NULL,
  PRIMARY KEY ("tenant")
) STRICT;

CREATE TABLE "task_checkpoints" (
  "task_id" blob NOT NULL,
  "attempt" integer NOT NULL,
  "handler" text NOT NULL,
  "data" text NOT NULL,
  "updated_at" integer NOT NULL,
  PRIMARY KEY ("task_id")
) STRICT;

CREATE TABLE "task_events" (
  "task_id" blob NOT NULL,
  "at" integer NOT NULL,
  "kind" text NOT NULL,
  "actor" text NOT NULL,
  "detail" text NOT NULL,
  PRIMARY KEY ("task_id", "at", "kind")
) STRICT;

CREATE TABLE "task_progress" (
  "task_id" blob NOT NULL,
  "fraction" real NOT NULL,
  "message" text NOT NULL,
  "updated_at" integer NOT NULL,
  PRIMARY KEY ("task_id")
) STRICT;

CREATE TABLE "task_resources" (
  "id" blob NOT NULL,
  "task_id" blob NOT NULL,
  "tenant" text NOT NULL,
  "handler" text NOT NULL,
  "attempt" integer NOT NULL,
  "kind" text NOT NULL,
  "ref" text NOT NULL,
  "tries" integer DEFAULT 0 NOT NULL,
  "last_error" text NOT NULL,
  "check_at" integer NOT NULL,
  "created_at" integer NOT NULL,
  PRIMARY KEY ("id")
) STRICT;

CREATE INDEX "ix_task_resources_check" ON "task_resources" ("handler", "check_at");

CREATE INDEX "ix_task_resources_task" ON "task_resources" ("task_id");

CREATE TABLE "task_tags" (
  "tenant" text NOT NULL,
  "tag" text NOT NULL,
  "task_id" blob NOT NULL,
  PRIMARY KEY ("tenant", "tag", "task_id")
) STRICT;

CREATE INDEX "ix_task_tags_task" ON "task_tags" ("task_id");

CREATE TABLE "tasks" (
  "id" blob NOT NULL,
  "tenant" text NOT NULL,
  "queue" text NOT NULL,
  "name" text NOT NULL,
  "lane" integer NOT NULL,
  "priority" integer NOT NULL,
  "phase" text NOT NULL,
  "state" text NOT NULL,
  "reason" text DEFAULT 'none' NOT NULL,
  "ended" text DEFAULT 'none' NOT NULL,
  "attempt" integer DEFAULT 0 NOT NULL,
  "failures" integer DEFAULT 0 NOT NULL,
  "crashes" integer DEFAULT 0 NOT NULL,
  "snoozes" integer DEFAULT 0 NOT NULL,
  "fallbacks" integer DEFAULT 0 NOT NULL,
  "max_attempts" integer DEFAULT 0 NOT NULL,
  "timeout_ms" integer DEFAULT 0 NOT NULL,
  "worker_id" blob NOT NULL,
  "run_at" integer NOT NULL,
  "expires_at" integer DEFAULT 0 NOT NULL,
  "deadline_at" integer DEFAULT 0 NOT NULL,
  "created_at" integer NOT NULL,
  "updated_at" integer NOT NULL,
  "started_at" integer DEFAULT 0 NOT NULL,
  "finished_at" integer DEFAULT 0 NOT NULL,
  "rung_at" integer DEFAULT 0 NOT NULL,
  "created_by" text NOT NULL,
  "options" text NOT NULL,
  "payload" text NOT NULL, "payload_bytes" integer DEFAULT 0 NOT NULL,
  CONSTRAINT "ck_tasks_finished" CHECK ((finished_at > 0) = (state IN ('succeeded','failed','cancelled','expired'))),
  CONSTRAINT "ck_tasks_worker" CHECK ((worker_id <> X'00000000000000000000000000000000') = (state = 'running')),
  CONSTRAINT "ck_tasks_reason" CHECK ((reason <> 'none') = (state = 'failed') AND reason IN ('none','attempts_exhausted','permanent_error','poison','unknown_handler','deadline_exceeded')),
  CONSTRAINT "ck_tasks_phase" CHECK ((state IN ('scheduled','retrying') AND phase = 'waiting' AND ended = 'none') OR (state = 'queued' AND phase IN ('unrung','live') AND ended = 'none') OR (state = 'running' AND phase IN ('unrung','live') AND ended = 'none') OR (state = 'succeeded' AND phase = 'succeeded' AND ended = 'none') OR (state = 'failed' AND phase = 'failed' AND ended IN ('failed','discarded')) OR (state = 'cancelled' AND phase = 'cancelled' AND ended = 'cancelled') OR (state = 'expired' AND phase = 'expired' AND ended = 'expired')),
  CONSTRAINT "ck_tasks_lane" CHECK (lane IN (0, 1, 2)),
  PRIMARY KEY ("id")
) STRICT;

CREATE INDEX "ix_tasks_phase" ON "tasks" ("phase", "queue", "lane", "tenant", "id");

CREATE INDEX "ix_tasks_tenant" ON "tasks" ("tenant", "ended", "id");

CREATE TABLE "tenant_usage" (
  "tenant" text NOT NULL,
  "queue" text NOT NULL,
  "over_limit" integer DEFAULT 0 NOT NULL,
  "tasks" integer DEFAULT 0 NOT NULL,
  "payload_bytes" integer DEFAULT 0 NOT NULL,
  "counted_at" integer DEFAULT 0 NOT NULL,
  CONSTRAINT "ck_tenant_usage_over" CHECK (over_limit = 0),
  PRIMARY KEY ("tenant", "queue")
) STRICT;

CREATE INDEX "ix_tenant_usage_counted" ON "tenant_usage" ("queue", "counted_at");

CREATE TABLE "timers" (
  "task_id" blob NOT NULL,
  "kind" text NOT NULL,
  "due_at" integer NOT NULL,
  CONSTRAINT "ck_timers_kind" CHECK (kind IN ('run','expire','deadline','unhandled')),
  PRIMARY KEY ("task_id", "kind")
) STRICT;

CREATE INDEX "ix_timers_due" ON "timers" ("kind", "due_at");

CREATE TABLE "token_revocations" (
  "id" blob NOT NULL,
  "tenant" text NOT NULL,
  "kind" text NOT NULL,
  "value" text NOT NULL,
  "not_before" integer NOT NULL,
  "revoked_at" integer NOT NULL,
  "expires_at" integer NOT NULL,
  "revoked_by" text NOT NULL,
  "reason" text NOT NULL,
  "lifted_at" integer DEFAULT 0 NOT NULL,
  "changed_at" integer NOT NULL,
  CONSTRAINT "ck_token_revocations_kind" CHECK (kind IN ('id','subject','tenant') AND (kind = 'tenant') = (value = '')),
  PRIMARY KEY ("id")
) STRICT;

CREATE INDEX "ix_token_revocations_changed" ON "token_revocations" ("changed_at", "id");

CREATE INDEX "ix_token_revocations_expires" ON "token_revocations" ("expires_at");

CREATE INDEX "ix_token_revocations_tenant" ON "token_revocations" ("tenant", "id");

CREATE TABLE "usage_returns" (
  "tenant" text NOT NULL,
  "id" blob NOT NULL,
  "queue" text NOT NULL,
  "tasks" integer NOT NULL,
  "payload_bytes" integer NOT NULL,
  PRIMARY KEY ("tenant", "id")
) STRICT;

CREATE TABLE "workers" (
  "id" blob NOT NULL,
  "host" text NOT NULL,
  "pid" integer NOT NULL,
  "state" text NOT NULL,
  "queues" text NOT NULL,
  "handlers" text NOT NULL,
  "concurrency" integer NOT NULL,
  "lease_ms" integer NOT NULL,
  "beat" integer NOT NULL,
  "solo_task" blob NOT NULL,
  "started_at" integer NOT NULL,
  "heartbeat_at" integer NOT NULL,
  CONSTRAINT "ck_workers_state" CHECK (state IN ('live','draining','stopped','lost')),
  PRIMARY KEY ("id")
) STRICT;

CREATE TABLE `api_key_turns` (
  `tenant` varchar(64) NOT NULL,
  `taken_at` bigint NOT NULL,
  PRIMARY KEY (`tenant`)
) ENGINE=InnoDB DEFAULT CHARSET=utf8mb4 COLLATE=utf8mb4_bin ROW_FORMAT=DYNAMIC;

CREATE TABLE `api_keys` (
  `id` binary(16) NOT NULL,
  `tenant` varchar(64) NOT NULL,
  `name` varchar(128) NOT NULL,
  `scopes` varchar(1000) NOT NULL,
  `secret_hash` binary(32) NOT NULL,
  `previous_hash` binary(32) NOT NULL,
  `previous_until` bigint NOT NULL DEFAULT '0',
  `made_by` binary(16) NOT NULL,
  `created_by` varchar(255) NOT NULL,
  `created_at` bigint NOT NULL,
  `expires_at` bigint NOT NULL,
  `rotated_at` bigint NOT NULL DEFAULT '0',
  `revoked_at` bigint NOT NULL DEFAULT '0',
  `last_used_at` bigint NOT NULL DEFAULT '0',
  PRIMARY KEY (`id`),
  KEY `ix_api_keys_tenant` (`tenant`,`id`),
  CONSTRAINT `ck_api_keys_life` CHECK (((`expires_at` > `created_at`) and (`previous_until` <= `expires_at`)))
) ENGINE=InnoDB DEFAULT CHARSET=utf8mb4 COLLATE=utf8mb4_bin ROW_FORMAT=DYNAMIC;

CREATE TABLE `attempts` (
  `task_id` binary(16) NOT NULL,
  `attempt` int NOT NULL,
  `outcome` enum('succeeded','failed','timed_out','cancelled','lost','released','snoozed') NOT NULL,
  `worker_id` binary(16) NOT NULL,
  `started_at` bigint NOT NULL,
  `finished_at` bigint NOT NULL,
  `error_code` varchar(64) NOT NULL,
  `error_message` varchar(2000) NOT NULL,
  `result` mediumtext,
  PRIMARY KEY (`task_id`,`attempt`),
  CONSTRAINT `ck_attempts_outcome` CHECK ((`outcome` in ('succeeded','failed','timed_out','cancelled','lost','released','snoozed')))
) ENGINE=InnoDB DEFAULT CHARSET=utf8mb4 COLLATE=utf8mb4_bin ROW_FORMAT=DYNAMIC;

CREATE TABLE `audit_entries` (
  `id` binary(16) NOT NULL,
  `tenant` varchar(64) NOT NULL,
  `at` bigint NOT NULL,
  `actor` varchar(255) NOT NULL,
  `action` varchar(64) NOT NULL,
  `target` varchar(128) NOT NULL,
  `reason` varchar(500) NOT NULL,
  `detail` mediumtext NOT NULL,
  PRIMARY KEY (`id`),
  KEY `ix_audit_entries_tenant` (`tenant`,`id`)
) ENGINE=InnoDB DEFAULT CHARSET=utf8mb4 COLLATE=utf8mb4_bin ROW_FORMAT=DYNAMIC;

CREATE TABLE `bulk_operations` (
  `id` binary(16) NOT NULL,
  `tenant` varchar(64) NOT NULL,
  `action` enum('retry','cancel','discard') NOT NULL,
  `filter` mediumtext NOT NULL,
  `state` enum('running','finished','aborted','failed') NOT NULL,
  `rate_per_second` int NOT NULL,
  `cursor_id` binary(16) NOT NULL,
  `examined` bigint NOT NULL DEFAULT '0',
  `done` bigint NOT NULL DEFAULT '0',
  `skipped` bigint NOT NULL DEFAULT '0',
  `refusals` tinyint NOT NULL DEFAULT '0',
  `next_at` bigint NOT NULL,
  `requested_by` varchar(255) NOT NULL,
  `reason` varchar(500) NOT NULL,
  `error` varchar(2000) NOT NULL,
  `created_at` bigint NOT NULL,
  `updated_at` bigint NOT NULL,
  `finished_at` bigint NOT NULL DEFAULT '0',
  PRIMARY KEY (`id`),
  KEY `ix_bulk_operations_due` (`state`,`next_at`),
  KEY `ix_bulk_operations_tenant` (`tenant`,`id`),
  CONSTRAINT `ck_bulk_operations_finished` CHECK (((`finished_at` > 0) = (`state` <> 'running'))),
  CONSTRAINT `ck_bulk_operations_words` CHECK (((`action` in ('retry','cancel','discard')) and (`state` in ('running','finished','aborted','failed'))))
) ENGINE=InnoDB DEFAULT CHARSET=utf8mb4 COLLATE=utf8mb4_bin ROW_FORMAT=DYNAMIC;

CREATE TABLE `cancel_requests` (
  `task_id` binary(16) NOT NULL,
  `worker_id` binary(16) NOT NULL,
  `requested_at` bigint NOT NULL,
  `requested_by` varchar(255) NOT NULL,
  PRIMARY KEY (`task_id`),
  KEY `ix_cancel_requests_worker` (`worker_id`)
) ENGINE=InnoDB DEFAULT CHARSET=utf8mb4 COLLATE=utf8mb4_bin ROW_FORMAT=DYNAMIC;

CREATE TABLE `claim_notes` (
  `first_id` binary(16) NOT NULL,
  `attempt` int NOT NULL,
  `claimed_at` bigint NOT NULL,
  `last_id` binary(16) NOT NULL,
  `tenant` varchar(64) NOT NULL,
  `queue` varchar(64) NOT NULL,
  `lane` tinyint NOT NULL,
  `worker_id` binary(16) NOT NULL,
  PRIMARY KEY (`first_id`,`attempt`,`claimed_at`),
  KEY `ix_claim_notes_tenant` (`tenant`)
) ENGINE=InnoDB DEFAULT CHARSET=utf8mb4 COLLATE=utf8mb4_bin ROW_FORMAT=DYNAMIC;

CREATE TABLE `idempotency_keys` (
  `tenant` varchar(64) NOT NULL,
  `key_hash` binary(32) NOT NULL,
  `fingerprint` binary(32) NOT NULL,
  `task_id` binary(16) NOT NULL,
  `created_at` bigint NOT NULL,
  PRIMARY KEY (`tenant`,`key_hash`),
  KEY `ix_idempotency_keys_created` (`created_at`)
) ENGINE=InnoDB DEFAULT CHARSET=utf8mb4 COLLATE=utf8mb4_bin ROW_FORMAT=DYNAMIC;

CREATE TABLE `limits` (
  `tenant` varchar(64) NOT NULL,
  `queue` varchar(64) NOT NULL,
  `name` varchar(32) NOT NULL,
  `value` bigint NOT NULL,
  `set_at` bigint NOT NULL,
  `set_by` varchar(255) NOT NULL,
  `reason` varchar(500) NOT NULL,
  PRIMARY KEY (`tenant`,`queue`,`name`),
  CONSTRAINT `ck_limits_value` CHECK ((`value` >= 0))
) ENGINE=InnoDB DEFAULT CHARSET=utf8mb4 COLLATE=utf8mb4_bin ROW_FORMAT=DYNAMIC;

CREATE TABLE `migrations` (
  `id` int NOT NULL AUTO_INCREMENT,
  `timestamp` bigint NOT NULL,
  `name` varchar(255) NOT NULL,
  PRIMARY KEY (`id`)
) ENGINE=InnoDB DEFAULT CHARSET=utf8mb4;

CREATE TABLE `queues` (
  `tenant` varchar(64) NOT NULL,
  `name` varchar(64) NOT NULL,
  `paused_at` bigint NOT NULL DEFAULT '0',
  `paused_by` varchar(255) NOT NULL,
  `created_at` bigint NOT NULL,
  PRIMARY KEY (`tenant`,`name`)
) ENGINE=InnoDB DEFAULT CHARSET=utf8mb4 COLLATE=utf8mb4_bin ROW_FORMAT=DYNAMIC;

CREATE TABLE `rate_states` (
  `scope` binary(32) NOT NULL,
  `tat` bigint NOT NULL,
  `taken` bigint NOT NULL,
  PRIMARY KEY (`scope`)
) ENGINE=InnoDB DEFAULT CHARSET=utf8mb4 COLLATE=utf8mb4_bin ROW_FORMAT=DYNAMIC;

CREATE TABLE `running_turns` (
  `tenant` varchar(64) NOT NULL,
  PRIMARY KEY (`tenant`)
) ENGINE=InnoDB DEFAULT CHARSET=utf8mb4 COLLATE=utf8mb4_bin ROW_FORMAT=DYNAMIC;

CREATE TABLE `task_checkpoints` (
  `task_id` binary(16) NOT NULL,
  `attempt` int NOT NULL,
  `handler` varchar(128) NOT NULL,
  `data` mediumtext NOT NULL,
  `updated_at` bigint NOT NULL,
  PRIMARY KEY (`task_id`)
) ENGINE=InnoDB DEFAULT CHARSET=utf8mb4 COLLATE=utf8mb4_bin ROW_FORMAT=DYNAMIC;

CREATE TABLE `task_events` (
  `task_id` binary(16) NOT NULL,
  `at` bigint NOT NULL,
  `kind` varchar(32) NOT NULL,
  `actor` varchar(255) NOT NULL,
  `detail` varchar(2000) NOT NULL,
  PRIMARY KEY (`task_id`,`at`,`kind`)
) ENGINE=InnoDB DEFAULT CHARSET=utf8mb4 COLLATE=utf8mb4_bin ROW_FORMAT=DYNAMIC;

CREATE TABLE `task_progress` (
  `task_id` binary(16) NOT NULL,
  `fraction` double NOT NULL,
  `message` varchar(500) NOT NULL,
  `updated_at` bigint NOT NULL,
  PRIMARY KEY (`task_id`)
) ENGINE=InnoDB DEFAULT CHARSET=utf8mb4 COLLATE=utf8mb4_bin ROW_FORMAT=DYNAMIC;

CREATE TABLE `task_resources` (
  `id` binary(16) NOT NULL,
  `task_id` binary(16) NOT NULL,
  `tenant` varchar(64) NOT NULL,
  `handler` varchar(128) NOT NULL,
  `attempt` int NOT NULL,
  `kind` varchar(64) NOT NULL,
  `ref` varchar(1000) NOT NULL,
  `tries` int NOT NULL DEFAULT '0',
  `last_error` varchar(2000) NOT NULL,
  `check_at` bigint NOT NULL,
  `created_at` bigint NOT NULL,
  PRIMARY KEY (`id`),
  KEY `ix_task_resources_check` (`handler`,`check_at`),
  KEY `ix_task_resources_task` (`task_id`)
) ENGINE=InnoDB DEFAULT CHARSET=utf8mb4 COLLATE=utf8mb4_bin ROW_FORMAT=DYNAMIC;

CREATE TABLE `task_tags` (
  `tenant` varchar(64) NOT NULL,
  `tag` varchar(64) NOT NULL,
  `task_id` binary(16) NOT NULL,
  PRIMARY KEY (`tenant`,`tag`,`task_id`),
  KEY `ix_task_tags_task` (`task_id`)
) ENGINE=InnoDB DEFAULT CHARSET=utf8mb4 COLLATE=utf8mb4_bin ROW_FORMAT=DYNAMIC;

CREATE TABLE `tasks` (
  `id` binary(16) NOT NULL,
  `tenant` varchar(64) NOT NULL,
  `queue` varchar(64) NOT NULL,
  `name` varchar(128) NOT NULL,
  `lane` tinyint NOT NULL,
  `priority` tinyint NOT NULL,
  `phase` enum('waiting','unrung','live','succeeded','failed','cancelled','expired') NOT NULL,
  `state` enum('scheduled','queued','running','retrying','succeeded','failed','cancelled','expired') NOT NULL,
  `reason` enum('none','attempts_exhausted','permanent_error','poison','unknown_handler','deadline_exceeded') NOT NULL DEFAULT 'none',
  `ended` enum('none','failed','discarded','cancelled','expired') NOT NULL DEFAULT 'none',
  `attempt` int NOT NULL DEFAULT '0',
  `failures` int NOT NULL DEFAULT '0',
  `crashes` int NOT NULL DEFAULT '0',
  `snoozes` int NOT NULL DEFAULT '0',
  `fallbacks` tinyint NOT NULL DEFAULT '0',
  `max_attempts` int NOT NULL DEFAULT '0',
  `timeout_ms` int NOT NULL DEFAULT '0',
  `worker_id` binary(16) NOT NULL,
  `run_at` bigint NOT NULL,
  `expires_at` bigint NOT NULL DEFAULT '0',
  `deadline_at` bigint NOT NULL DEFAULT '0',
  `created_at` bigint NOT NULL,
  `updated_at` bigint NOT NULL,
  `started_at` bigint NOT NULL DEFAULT '0',
  `finished_at` bigint NOT NULL DEFAULT '0',
  `rung_at` bigint NOT NULL DEFAULT '0',
  `created_by` varchar(255) NOT NULL,
  `options` mediumtext NOT NULL,
  `payload` mediumtext NOT NULL,
  `payload_bytes` int NOT NULL DEFAULT '0',
  PRIMARY KEY (`id`),
  KEY `ix_tasks_phase` (`phase`,`queue`,`lane`,`tenant`,`id`),
  KEY `ix_tasks_tenant` (`tenant`,`ended`,`id`),
  CONSTRAINT `ck_tasks_finished` CHECK (((`finished_at` > 0) = (`state` in ('succeeded','failed','cancelled','expired')))),
  CONSTRAINT `ck_tasks_lane` CHECK ((`lane` in (0,1,2))),
  CONSTRAINT `ck_tasks_phase` CHECK ((((`state` in ('scheduled','retrying')) and (`phase` = 'waiting') and (`ended` = 'none')) or ((`state` = 'queued') and (`phase` in ('unrung','live')) and (`ended` = 'none')) or ((`state` = 'running') and (`phase` in ('unrung','live')) and (`ended` = 'none')) or ((`state` = 'succeeded') and (`phase` = 'succeeded') and (`ended` = 'none')) or ((`state` = 'failed') and (`phase` = 'failed') and (`ended` in ('failed','discarded'))) or ((`state` = 'cancelled') and (`phase` = 'cancelled') and (`ended` = 'cancelled')) or ((`state` = 'expired') and (`phase` = 'expired') and (`ended` = 'expired')))),
  CONSTRAINT `ck_tasks_reason` CHECK ((((`reason` <> 'none') = (`state` = 'failed')) and (`reason` in ('none','attempts_exhausted','permanent_error','poison','unknown_handler','deadline_exceeded')))),
  CONSTRAINT `ck_tasks_worker` CHECK (((`worker_id` <> 0x00000000000000000000000000000000) = (`state` = 'running')))
) ENGINE=InnoDB DEFAULT CHARSET=utf8mb4 COLLATE=utf8mb4_bin ROW_FORMAT=DYNAMIC;

CREATE TABLE `tenant_usage` (
  `tenant` varchar(64) NOT NULL,
  `queue` varchar(64) NOT NULL,
  `over_limit` tinyint NOT NULL DEFAULT '0',
  `tasks` bigint NOT NULL DEFAULT '0',
  `payload_bytes` bigint NOT NULL DEFAULT '0',
  `counted_at` bigint NOT NULL DEFAULT '0',
  PRIMARY KEY (`tenant`,`queue`),
  KEY `ix_tenant_usage_counted` (`queue`,`counted_at`),
  CONSTRAINT `ck_tenant_usage_over` CHECK ((`over_limit` = 0))
) ENGINE=InnoDB DEFAULT CHARSET=utf8mb4 COLLATE=utf8mb4_bin ROW_FORMAT=DYNAMIC;

CREATE TABLE `timers` (
  `task_id` binary(16) NOT NULL,
  `kind` enum('run','expire','deadline','unhandled') NOT NULL,
  `due_at` bigint NOT NULL,
  PRIMARY KEY (`task_id`,`kind`),
  KEY `ix_timers_due` (`kind`,`due_at`),
  CONSTRAINT `ck_timers_kind` CHECK ((`kind` in ('run','expire','deadline','unhandled')))
) ENGINE=InnoDB DEFAULT CHARSET=utf8mb4 COLLATE=utf8mb4_bin ROW_FORMAT=DYNAMIC;

CREATE TABLE `token_revocations` (
  `id` binary(16) NOT NULL,
  `tenant` varchar(64) NOT NULL,
  `kind` enum('id','subject','tenant') NOT NULL,
  `value` varchar(128) NOT NULL,
  `not_before` bigint NOT NULL,
  `revoked_at` bigint NOT NULL,
  `expires_at` bigint NOT NULL,
  `revoked_by` varchar(255) NOT NULL,
  `reason` varchar(500) NOT NULL,
  `lifted_at` bigint NOT NULL DEFAULT '0',
  `changed_at` bigint NOT NULL,
  PRIMARY KEY (`id`),
  KEY `ix_token_revocations_tenant` (`tenant`,`id`),
  KEY `ix_token_revocations_changed` (`changed_at`,`id`),
  KEY `ix_token_revocations_expires` (`expires_at`),
  CONSTRAINT `ck_token_revocations_kind` CHECK (((`kind` in ('id','subject','tenant')) and ((`kind` = 'tenant') = (`value` = ''))))
) ENGINE=InnoDB DEFAULT CHARSET=utf8mb4 COLLATE=utf8mb4_bin ROW_FORMAT=DYNAMIC;

CREATE TABLE `usage_returns` (
  `tenant` varchar(64) NOT NULL,
  `id` binary(16) NOT NULL,
  `queue` varchar(64) NOT NULL,
  `tasks` int NOT NULL,
  `payload_bytes` bigint NOT NULL,
  PRIMARY KEY (`tenant`,`id`)
) ENGINE=InnoDB DEFAULT CHARSET=utf8mb4 COLLATE=utf8mb4_bin ROW_FORMAT=DYNAMIC;

CREATE TABLE `workers` (
  `id` binary(16) NOT NULL,
  `host` varchar(255) NOT NULL,
  `pid` int NOT NULL,
  `state` enum('live','draining','stopped','lost') NOT NULL,
  `queues` mediumtext NOT NULL,
  `handlers` mediumtext NOT NULL,
  `concurrency` int NOT NULL,
  `lease_ms` int NOT NULL,
  `beat` bigint NOT NULL,
  `solo_task` binary(16) NOT NULL,
  `started_at` bigint NOT NULL,
  `heartbeat_at` bigint NOT NULL,
  PRIMARY KEY (`id`),
  CONSTRAINT `ck_workers_state` CHECK ((`state` in ('live','draining','stopped','lost')))
) ENGINE=InnoDB DEFAULT CHARSET=utf8mb4 COLLATE=utf8mb4_bin ROW_FORMAT=DYNAMIC;

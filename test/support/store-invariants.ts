/**
 * What must be true of the tables at any moment when nobody is writing. Each rule is a query that finds the rows that break it;
 * the suites of the store ask all of them after every test. Rules that the schema's own checks enforce are not repeated.
 */
import { sql, type Database, type Row, type Sql } from '@app/database';

const RULES: Readonly<Record<string, Sql>> = {
  'every claim has left one attempt row, numbered without a gap, but for the one under way': sql`
    SELECT t.id, t.state, t.attempt, COUNT(a.attempt) AS found, COALESCE(MAX(a.attempt), 0) AS highest
    FROM tasks t LEFT JOIN attempts a ON a.task_id = t.id GROUP BY t.id, t.state, t.attempt
    HAVING COUNT(a.attempt) <> t.attempt - CASE WHEN t.state = 'running' THEN 1 ELSE 0 END OR COALESCE(MAX(a.attempt), 0) <> COUNT(a.attempt)`,
  'a waiting task has a run timer': sql`
    SELECT t.id, t.state FROM tasks t LEFT JOIN timers r ON r.task_id = t.id AND r.kind = 'run'
    WHERE t.state IN ('scheduled', 'retrying') AND r.task_id IS NULL`,
  'a queued or running task has no run timer for later': sql`
    SELECT t.id, t.state FROM tasks t JOIN timers r ON r.task_id = t.id AND r.kind = 'run'
    WHERE t.state IN ('queued', 'running') AND r.due_at > t.updated_at`,
  'an unfinished task that expires has a timer for it': sql`
    SELECT t.id, t.state FROM tasks t LEFT JOIN timers e ON e.task_id = t.id AND e.kind = 'expire'
    WHERE t.finished_at = 0 AND t.expires_at > 0 AND e.task_id IS NULL`,
  'an unfinished task with a deadline has a timer for it': sql`
    SELECT t.id, t.state FROM tasks t LEFT JOIN timers d ON d.task_id = t.id AND d.kind = 'deadline'
    WHERE t.finished_at = 0 AND t.deadline_at > 0 AND d.task_id IS NULL`,
  'a running task belongs to a worker of the register': sql`
    SELECT t.id FROM tasks t LEFT JOIN workers w ON w.id = t.worker_id WHERE t.state = 'running' AND w.id IS NULL`,
  'only a running or a finished task has a cancel request': sql`
    SELECT t.id, t.state FROM cancel_requests c JOIN tasks t ON t.id = c.task_id WHERE t.state NOT IN ('running', 'succeeded')`,
  'an unrung task has no time of ringing': sql`SELECT id FROM tasks WHERE phase = 'unrung' AND rung_at <> 0`,
  'what runs without being live is where a note says': sql`
    SELECT t.id FROM tasks t WHERE t.state = 'running' AND t.phase = 'unrung' AND NOT EXISTS (
      SELECT 1 FROM claim_notes n WHERE n.tenant = t.tenant AND n.queue = t.queue AND n.lane = t.lane AND t.id BETWEEN n.first_id AND n.last_id)`,
  'a succeeded task has a succeeded last attempt with a result, and nothing after it': sql`
    SELECT t.id FROM tasks t LEFT JOIN attempts a ON a.task_id = t.id AND a.attempt = t.attempt
    WHERE t.state = 'succeeded' AND (a.outcome IS NULL OR a.outcome <> 'succeeded' OR a.result IS NULL)`,
  'times do not run backwards': sql`
    SELECT id FROM tasks WHERE updated_at < created_at OR (finished_at > 0 AND finished_at < created_at)`,
  'what belongs to a task belongs to one that exists': sql`
    SELECT task_id FROM attempts WHERE task_id NOT IN (SELECT id FROM tasks)
    UNION ALL SELECT task_id FROM timers WHERE task_id NOT IN (SELECT id FROM tasks)
    UNION ALL SELECT task_id FROM task_tags WHERE task_id NOT IN (SELECT id FROM tasks)
    UNION ALL SELECT task_id FROM task_progress WHERE task_id NOT IN (SELECT id FROM tasks)
    UNION ALL SELECT task_id FROM cancel_requests WHERE task_id NOT IN (SELECT id FROM tasks)
    UNION ALL SELECT task_id FROM task_events WHERE task_id NOT IN (SELECT id FROM tasks)
    UNION ALL SELECT task_id FROM task_checkpoints WHERE task_id NOT IN (SELECT id FROM tasks)`,
  'a task knows how heavy its payload is, or does not know it': sql`
    SELECT id, payload_bytes FROM tasks WHERE payload_bytes NOT IN (0, OCTET_LENGTH(payload))`,
  'what a tenant uses is what it has, less what was given back': sql`
    SELECT tenant, SUM(tasks) AS tasks_too_many, SUM(bytes) AS bytes_too_many FROM (
      SELECT tenant, tasks, payload_bytes AS bytes FROM tenant_usage WHERE queue = ''
      UNION ALL SELECT tenant, -tasks, -payload_bytes FROM usage_returns
      UNION ALL SELECT tenant, -1, -OCTET_LENGTH(payload) FROM tasks WHERE finished_at = 0
    ) AS entry GROUP BY tenant HAVING SUM(tasks) <> 0 OR SUM(bytes) <> 0`,
  'what a queue of limited depth holds is what it has, less what was given back': sql`
    SELECT u.tenant, u.queue, u.tasks FROM tenant_usage u WHERE u.queue <> '' AND u.tasks <>
      (SELECT COUNT(*) FROM tasks t WHERE t.tenant = u.tenant AND t.queue = u.queue AND t.finished_at = 0) +
      (SELECT COALESCE(SUM(r.tasks), 0) FROM usage_returns r WHERE r.tenant = u.tenant AND r.queue = u.queue)`,
};

/** The rules that are broken, each with the rows that break it. */
export async function brokenRules(database: Database): Promise<Record<string, string[]>> {
  const broken: Record<string, string[]> = {};
  for (const [rule, query] of Object.entries(RULES)) {
    const found = await database.query(query);
    if (found.length > 0) broken[rule] = found.map(described);
  }
  return broken;
}

function described(row: Row): string {
  return Object.entries(row)
    .map(([column, value]) => `${column} ${Buffer.isBuffer(value) ? value.toString('hex') : String(value)}`)
    .join(', ');
}

-- What a run would have changed and did not: of a dry run, and of a run whose plan is held. Null where nothing was held
-- back. The columns beside them go on counting what was written.
ALTER TABLE ops.runs ADD COLUMN would_create BIGINT;
ALTER TABLE ops.runs ADD COLUMN would_update BIGINT;
ALTER TABLE ops.runs ADD COLUMN would_retire BIGINT;
ALTER TABLE ops.runs ADD COLUMN would_link BIGINT;
ALTER TABLE ops.runs ADD COLUMN would_unlink BIGINT;

UPDATE ops.runs
SET
    would_create = (summary -> 'feature_requests' ->> 'created')::BIGINT,
    would_update = (summary -> 'feature_requests' ->> 'updated')::BIGINT,
    would_retire = (summary -> 'feature_requests' ->> 'retired')::BIGINT,
    would_link = (summary -> 'links' ->> 'created')::BIGINT,
    would_unlink = (summary -> 'links' ->> 'removed')::BIGINT
WHERE mode IN ('dry_run', 'undo_plan');

UPDATE ops.runs
SET
    would_create = (summary -> 'plan' -> 'changes' ->> 'create')::BIGINT,
    would_update = (summary -> 'plan' -> 'changes' ->> 'update')::BIGINT,
    would_retire = (summary -> 'plan' -> 'changes' ->> 'retire')::BIGINT,
    would_link = (summary -> 'plan' -> 'changes' ->> 'link')::BIGINT,
    would_unlink = (summary -> 'plan' -> 'changes' ->> 'unlink')::BIGINT
WHERE held AND mode NOT IN ('dry_run', 'undo_plan');

-- grain: one operation; key: plan_id, seq. All of the newest plan, which somebody may still approve, and the first 200
-- of the four before it.
CREATE OR REPLACE VIEW ops.plan_changes AS
SELECT
    operations.plan_id,
    operations.seq,
    operations.action,
    operations.key,
    operations.target,
    operations.target_id,
    to_json(operations.before_values) AS before_values,
    to_json(operations.after_values) AS after_values,
    operations.before_labels,
    operations.after_labels
FROM sync.plan_operations AS operations
INNER JOIN (
    SELECT
        plans.plan_id,
        row_number() OVER (ORDER BY plans.created_at DESC, plans.plan_id ASC) AS place,
        (
            SELECT min(first_ones.seq)
            FROM sync.plan_operations AS first_ones
            WHERE first_ones.plan_id = plans.plan_id
        ) AS first_seq
    FROM sync.plans AS plans
) AS newest ON operations.plan_id = newest.plan_id
WHERE newest.place = 1 OR (newest.place <= 5 AND operations.seq <= newest.first_seq + 199);

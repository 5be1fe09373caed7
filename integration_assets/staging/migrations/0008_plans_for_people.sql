-- Plans as people look at them before they approve one: published like all of `ops`, so that no page opens the store.

-- grain: one plan; key: plan_id. `counts` is JSON: what the plan does, by action.
CREATE VIEW ops.plans AS
SELECT
    plans.plan_id,
    plans.run_id,
    plans.hash,
    plans.kind,
    plans.status,
    plans.portal_id,
    plans.created_at,
    plans.held_reasons,
    (plans.header::JSON -> 'counts') AS counts,
    (SELECT max(approvals.approved_at) FROM sync.approvals WHERE approvals.plan_id = plans.plan_id) AS approved_at
FROM sync.plans AS plans;

-- grain: one operation; key: plan_id, seq. The first 200 of the five newest plans: a sample to look at, in order.
CREATE VIEW ops.plan_changes AS
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
WHERE
    operations.seq <= (
        SELECT min(first_ones.seq) + 199
        FROM sync.plan_operations AS first_ones
        WHERE first_ones.plan_id = operations.plan_id
    )
    AND operations.plan_id IN (SELECT plans.plan_id FROM sync.plans AS plans ORDER BY plans.created_at DESC LIMIT 5);

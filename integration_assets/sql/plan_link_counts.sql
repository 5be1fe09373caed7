-- How many labels a plan links and unlinks, and what it takes.
-- grain: one action and target; key: action, target
-- inputs: sync.plan_operations; variable plan_id
SELECT
    action,
    target,
    count(*) AS pairs,
    count(DISTINCT key) AS records,
    sum(
        CASE
            WHEN action = 'link' THEN len(after_labels) - len(before_labels)
            ELSE len(after_labels)
        END
    )::BIGINT AS labels
FROM sync.plan_operations
WHERE plan_id = getvariable('plan_id') AND action IN ('link', 'unlink')
GROUP BY action, target

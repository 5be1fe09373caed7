-- How many labels a plan links and unlinks. The plain association comes and goes with labels; alone it counts as one.
-- grain: one action; key: action
-- inputs: sync.plan_operations; variable plan_id
SELECT
    action,
    sum(
        greatest(
            1,
            len(
                list_filter(
                    after_labels,
                    LAMBDA label: label <> 'plain' AND (action = 'unlink' OR NOT list_contains(before_labels, label))
                )
            )
        )
    )::BIGINT AS labels
FROM sync.plan_operations
WHERE plan_id = getvariable('plan_id') AND action IN ('link', 'unlink')
GROUP BY action

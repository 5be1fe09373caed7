-- How many changes of a plan were published, counted as the plan counts them: of links the labels.
-- grain: one row
-- inputs: ops.plan_changes
SELECT
    coalesce(
        sum(
            CASE
                WHEN target IS NULL THEN 1
                ELSE greatest(
                    1,
                    len(
                        list_filter(
                            after_labels,
                            LAMBDA label: label <> 'plain'
                            AND (action = 'unlink' OR NOT list_contains(coalesce(before_labels, []), label))
                        )
                    )
                )
            END
        ),
        0
    )::BIGINT AS changes
FROM ops.plan_changes
WHERE plan_id = $plan_id

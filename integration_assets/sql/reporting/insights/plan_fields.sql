-- How many changes a plan makes, by action and field; of links the labels, by what they lead to.
-- grain: one action and field; key: action, field
-- inputs: ops.plan_changes
WITH named AS (
    SELECT
        action,
        before_values,
        after_values,
        target,
        unnest(
            CASE WHEN target IS NULL THEN json_keys(after_values) ELSE [target] END
        ) AS field,
        greatest(
            1,
            len(
                list_filter(
                    after_labels,
                    LAMBDA label: label <> 'plain'
                    AND (action = 'unlink' OR NOT list_contains(coalesce(before_labels, []), label))
                )
            )
        ) AS labels
    FROM ops.plan_changes
    WHERE plan_id = $plan_id
)

SELECT
    action,
    field,
    sum(CASE WHEN target IS NULL THEN 1 ELSE labels END)::BIGINT AS changes
FROM named
WHERE
    target IS NOT NULL
    -- the bookkeeping of the sync says nothing to a person
    OR (
        field <> 'managed_state'
        AND coalesce(json_extract_string(before_values, field), '')
        <> coalesce(json_extract_string(after_values, field), '')
    )
GROUP BY action, field
ORDER BY list_position(['create', 'update', 'retire', 'link', 'unlink', 'roll_up'], action) ASC, changes DESC, field ASC

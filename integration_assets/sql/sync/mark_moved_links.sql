-- Leave out the link operations of a plan whose pair no longer carries the labels it had when the plan was made.
-- inputs: sync.plan_operations, raw.crm_feature_requests, raw.crm_links; variable plan_id
UPDATE sync.plan_operations
SET moved = TRUE
FROM (
    SELECT
        operations.seq,
        list_sort(list(DISTINCT live.label) FILTER (live.label IS NOT NULL)) AS labels
    FROM sync.plan_operations AS operations
    -- a record yet to be made has no links, which is what its operations expect
    LEFT JOIN raw.crm_feature_requests AS held
        ON operations.key = lower(held.key) AND NOT held.archived
    LEFT JOIN raw.crm_links AS live
        ON
            held.record_id = live.record_id
            AND operations.target = live.target
            AND operations.target_id = live.target_id
    WHERE
        operations.plan_id = getvariable('plan_id')
        AND operations.action IN ('link', 'unlink')
    GROUP BY operations.seq
) AS present
WHERE
    plan_operations.plan_id = getvariable('plan_id')
    AND plan_operations.seq = present.seq
    AND coalesce(present.labels, []) <> plan_operations.before_labels

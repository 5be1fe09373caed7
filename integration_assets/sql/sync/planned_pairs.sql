-- The link and unlink operations of a plan in order, with what decides how many calls they take.
-- grain: one link or unlink of one pair; key: seq
-- inputs: sync.plan_operations, raw.crm_links, raw.crm_feature_requests; variable plan_id
WITH live AS (
    SELECT DISTINCT
        links.record_id,
        links.target,
        links.target_id
    FROM raw.crm_links AS links
    INNER JOIN raw.crm_feature_requests AS held ON links.record_id = held.record_id AND NOT held.archived
),

of_record AS (
    SELECT
        record_id,
        target,
        count(*) AS links
    FROM live
    GROUP BY record_id, target
),

of_target AS (
    SELECT
        target,
        target_id,
        count(*) AS links
    FROM live
    GROUP BY target, target_id
)

SELECT
    operations.action,
    operations.target,
    operations.action = 'unlink' AND list_contains(operations.after_labels, 'plain') AS whole,
    operations.key,
    operations.target_id,
    operations.record_id IS NOT NULL AS was_there,
    -- with the new ones of the plan up to this one
    coalesce(of_record.links, 0) + sum((len(operations.before_labels) = 0)::INTEGER) OVER (
        PARTITION BY operations.key, operations.target
        ORDER BY operations.seq
    ) AS record_links,
    coalesce(of_target.links, 0) + sum((len(operations.before_labels) = 0)::INTEGER) OVER (
        PARTITION BY operations.target, operations.target_id
        ORDER BY operations.seq
    ) AS target_links
FROM sync.plan_operations AS operations
LEFT JOIN of_record ON operations.record_id = of_record.record_id AND operations.target = of_record.target
LEFT JOIN of_target ON operations.target = of_target.target AND operations.target_id = of_target.target_id
WHERE operations.plan_id = getvariable('plan_id') AND operations.action IN ('link', 'unlink')
ORDER BY operations.seq

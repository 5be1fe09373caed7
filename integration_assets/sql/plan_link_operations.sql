-- The link and unlink operations of a plan: our labels compared pair by pair, foreign labels carried along.
-- grain: one link or unlink of one pair; key: action, key, target, target_id; columns as sync.plan_operations
-- inputs: temp wanted_links, temp plan_records, raw.crm_links;
-- variables plan_id, last_seq, link_contacts, labels (ours)
WITH present AS (
    SELECT
        plan_records.key,
        live.target,
        live.target_id,
        list_sort(list(DISTINCT live.label)) AS labels
    FROM raw.crm_links AS live
    INNER JOIN plan_records ON live.record_id = plan_records.record_id
    WHERE live.target = 'company' OR getvariable('link_contacts')
    GROUP BY plan_records.key, live.target, live.target_id
),

wanted AS (
    SELECT
        key,
        target,
        target_id,
        list(label) AS labels
    FROM wanted_links
    GROUP BY key, target, target_id
),

pairs AS (
    SELECT
        coalesce(wanted.key, present.key) AS key,
        coalesce(wanted.target, present.target) AS target,
        coalesce(wanted.target_id, present.target_id) AS target_id,
        coalesce(wanted.labels, []) AS wanted_labels,
        coalesce(present.labels, []) AS present_labels
    FROM wanted
    FULL JOIN present
        ON
            wanted.key = present.key
            AND wanted.target = present.target
            AND wanted.target_id = present.target_id
),

compared AS (
    SELECT
        *,
        list_sort(list_distinct(list_concat(wanted_labels, present_labels))) AS all_labels,
        list_intersect(present_labels, getvariable('labels')) AS our_labels
    FROM pairs
),

judged AS (
    SELECT
        *,
        -- what is in one of two lists but not in the wanted one
        list_filter(our_labels, LAMBDA label: NOT list_contains(wanted_labels, label)) AS stale_labels
    FROM compared
),

operations AS (
    SELECT
        'link' AS action,
        key,
        target,
        target_id,
        present_labels AS before_labels,
        all_labels AS after_labels
    FROM judged
    WHERE len(all_labels) > len(present_labels)
    UNION ALL
    SELECT
        'unlink' AS action,
        key,
        target,
        target_id,
        present_labels AS before_labels,
        stale_labels AS after_labels
    FROM judged
    WHERE len(stale_labels) > 0
)

SELECT
    getvariable('plan_id') AS plan_id,
    -- links before unlinks, companies before contacts
    getvariable('last_seq') + row_number() OVER (
        ORDER BY operations.action, operations.target, operations.key, operations.target_id
    ) AS seq,
    operations.action,
    operations.key,
    plan_records.record_id,
    operations.target,
    operations.target_id,
    NULL AS before_values,
    NULL AS after_values,
    operations.before_labels,
    operations.after_labels,
    FALSE AS moved
FROM operations
INNER JOIN plan_records ON operations.key = plan_records.key

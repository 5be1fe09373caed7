-- The wanted links of our records beside the present ones, pair by pair.
-- A record that is not wanted any more keeps its links: of those, only pairs that carry nothing but the plain
-- association are listed, because a label of ours may have left it behind.
-- grain: one pair that is wanted or present; key: key, target, target_id
-- inputs: temp wanted_links, temp plan_records, raw.crm_feature_requests, raw.crm_links;
-- variables key_prefixes, link_contacts, labels (ours), unlabelled
WITH ours AS (
    SELECT
        lower(key) AS key,
        any_value(record_id) AS record_id
    FROM raw.crm_feature_requests
    WHERE NOT archived AND list_contains(getvariable('key_prefixes'), regexp_extract(lower(key), '^[^:]*:'))
    GROUP BY lower(key)
    -- a key held twice holds the plan: whose links these are cannot be told
    HAVING count(*) = 1
),

records AS (
    SELECT
        key,
        record_id,
        TRUE AS is_wanted
    FROM plan_records
    UNION ALL
    SELECT
        ours.key,
        ours.record_id,
        FALSE AS is_wanted
    FROM ours
    ANTI JOIN plan_records ON ours.key = plan_records.key
),

present AS (
    SELECT
        records.key,
        records.record_id,
        records.is_wanted,
        live.target,
        live.target_id,
        list_sort(list(DISTINCT live.label)) AS labels
    FROM raw.crm_links AS live
    INNER JOIN records ON live.record_id = records.record_id
    WHERE live.target = 'company' OR getvariable('link_contacts')
    GROUP BY records.key, records.record_id, records.is_wanted, live.target, live.target_id
),

wanted AS (
    SELECT
        wanted_links.key,
        plan_records.record_id,
        wanted_links.target,
        wanted_links.target_id,
        list(wanted_links.label) AS labels
    FROM wanted_links
    INNER JOIN plan_records ON wanted_links.key = plan_records.key
    GROUP BY wanted_links.key, plan_records.record_id, wanted_links.target, wanted_links.target_id
),

pairs AS (
    SELECT
        coalesce(wanted.key, present.key) AS key,
        coalesce(wanted.record_id, present.record_id) AS record_id,
        coalesce(wanted.target, present.target) AS target,
        coalesce(wanted.target_id, present.target_id) AS target_id,
        coalesce(present.is_wanted, TRUE) AS is_wanted,
        coalesce(wanted.labels, []) AS wanted_labels,
        coalesce(present.labels, []) AS present_labels
    FROM wanted
    FULL JOIN present
        ON
            wanted.key = present.key
            AND wanted.target = present.target
            AND wanted.target_id = present.target_id
)

SELECT
    key,
    record_id,
    target,
    target_id,
    wanted_labels,
    present_labels,
    list_sort(list_distinct(list_concat(wanted_labels, present_labels))) AS all_labels,
    -- what is in one of two lists but not in the wanted one; a portal without labels takes none off either
    list_filter(
        list_intersect(present_labels, getvariable('labels')),
        LAMBDA label: is_wanted AND NOT getvariable('unlabelled') AND NOT list_contains(wanted_labels, label)
    ) AS stale_labels,
    len(wanted_labels) = 0 AND present_labels = ['plain'] AS is_plain_only
FROM pairs
-- without labels, a plain link is all there ever was: nothing was left behind by one
WHERE is_wanted OR (present_labels = ['plain'] AND NOT getvariable('unlabelled'))

-- The pairs a run has sent to the CRM, each once, in the order of a plan, with what decides how many calls they take.
-- grain: one action and pair; key: action, whole, key, target, target_id
-- inputs: sync.ledger, raw.crm_links; parameter 1: run id
WITH created AS (
    SELECT DISTINCT lower(key) AS key
    FROM sync.ledger
    WHERE run_id = $1 AND action = 'create'
),

sent AS (
    SELECT
        action,
        target,
        action = 'unlink' AND list_contains(coalesce(after_labels, []), 'plain') AS whole,
        lower(key) AS key,
        target_id,
        any_value(record_id) AS record_id,
        bool_and(action = 'link' AND len(coalesce(before_labels, [])) = 0)::INTEGER AS is_new
    FROM sync.ledger
    WHERE run_id = $1 AND action IN ('link', 'unlink')
    GROUP BY
        action, target, action = 'unlink' AND list_contains(coalesce(after_labels, []), 'plain'), lower(key), target_id
),

ended AS (
    SELECT
        *,
        (whole AND NOT EXISTS (
            SELECT 1
            FROM raw.crm_links AS live
            WHERE
                live.record_id = sent.record_id
                AND live.target = sent.target
                AND live.target_id = sent.target_id
        ))::INTEGER AS is_gone
    FROM sent
),

of_record AS (
    SELECT
        record_id,
        target,
        count(DISTINCT target_id) AS links
    FROM raw.crm_links
    WHERE record_id IN (SELECT sent.record_id FROM sent)
    GROUP BY record_id, target
),

of_target AS (
    SELECT
        target,
        target_id,
        count(DISTINCT record_id) AS links
    FROM raw.crm_links
    GROUP BY target, target_id
)

SELECT
    ended.action,
    ended.target,
    ended.whole,
    ended.key,
    ended.target_id,
    created.key IS NULL AS was_there,
    -- links of either end before the run, and its new ones up to this one;
    -- not below zero, because others may have removed links since
    greatest(
        0,
        coalesce(of_record.links, 0)
        + sum(ended.is_gone - ended.is_new) OVER (PARTITION BY ended.key, ended.target)
    )
    + sum(ended.is_new) OVER (
        PARTITION BY ended.key, ended.target
        ORDER BY ended.action, ended.whole, ended.target_id
    ) AS record_links,
    greatest(
        0,
        coalesce(of_target.links, 0)
        + sum(ended.is_gone - ended.is_new) OVER (PARTITION BY ended.target, ended.target_id)
    )
    + sum(ended.is_new) OVER (
        PARTITION BY ended.target, ended.target_id
        ORDER BY ended.action, ended.whole, ended.key
    ) AS target_links
FROM ended
LEFT JOIN created ON ended.key = created.key
LEFT JOIN of_record ON ended.record_id = of_record.record_id AND ended.target = of_record.target
LEFT JOIN of_target ON ended.target = of_target.target AND ended.target_id = of_target.target_id
ORDER BY ended.action, ended.target, ended.whole, ended.key, ended.target_id

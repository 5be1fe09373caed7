-- What stood on pairs of records before we linked them, as far as the ledger says, and what our last write left there.
-- A company that took over others is known by those, where it was never linked itself.
-- grain: one pair of the ledger; key: record_id, target, target_id
-- inputs: sync.ledger, raw.crm_companies, temp asked_pairs (record_id, target, target_id); variables portal_id, labels
WITH former AS (
    SELECT
        asked_pairs.record_id,
        asked_pairs.target,
        asked_pairs.target_id,
        unnest(companies.merged_ids) AS former_id
    FROM asked_pairs
    INNER JOIN raw.crm_companies AS companies ON asked_pairs.target_id = companies.company_id
    WHERE asked_pairs.target = 'company'
),

written AS (
    SELECT
        ledger.record_id,
        ledger.target,
        ledger.target_id,
        ledger.ledger_id,
        ledger.action,
        coalesce(ledger.before_labels, []) AS before_labels,
        coalesce(ledger.after_labels, []) AS after_labels,
        lag(ledger.action = 'unlink' AND list_contains(ledger.after_labels, 'plain')) OVER (
            PARTITION BY ledger.record_id, ledger.target, ledger.target_id
            ORDER BY ledger.ledger_id
        ) AS after_removal
    FROM sync.ledger AS ledger
    WHERE
        ledger.portal_id = getvariable('portal_id')
        AND ledger.action IN ('link', 'unlink')
        -- without an outcome, or with an unknown one, it may have been written
        AND ledger.outcome IS DISTINCT FROM 'rejected'
        AND (ledger.record_id, ledger.target, ledger.target_id) IN (
            SELECT (asked_pairs.record_id, asked_pairs.target, asked_pairs.target_id) FROM asked_pairs
            UNION ALL
            SELECT (former.record_id, former.target, former.former_id) FROM former
        )
),

origins AS (
    SELECT
        record_id,
        target,
        target_id,
        -- the first write, the first after the pair was removed, and any that found the pair empty: before it,
        -- nothing there was ours
        arg_max(len(before_labels) = 0, ledger_id) FILTER (
            len(before_labels) = 0 OR coalesce(after_removal, TRUE)
        ) AS was_empty,
        arg_max(
            -- a link leaves the whole set it wrote, an unlink what it did not take off
            CASE
                WHEN action = 'link' THEN after_labels
                ELSE
                    list_filter(
                        before_labels,
                        LAMBDA label: NOT list_contains(after_labels, label)
                    )
            END,
            ledger_id
        ) AS labels_left
    FROM written
    GROUP BY record_id, target, target_id
),

taken_over AS (
    SELECT
        former.record_id,
        former.target,
        former.target_id,
        bool_and(coalesce(origins.was_empty, FALSE)) AS was_empty
    FROM former
    LEFT JOIN origins
        ON
            former.record_id = origins.record_id
            AND former.target = origins.target
            AND former.former_id = origins.target_id
    GROUP BY former.record_id, former.target, former.target_id
)

SELECT
    asked_pairs.record_id,
    asked_pairs.target,
    asked_pairs.target_id,
    coalesce(origins.was_empty, taken_over.was_empty, FALSE) AS was_empty,
    -- a version that took labels off only left one association behind, whatever it called it
    coalesce(
        len(origins.labels_left) = 1 AND NOT list_has_any(origins.labels_left, getvariable('labels')),
        FALSE
    ) AS left_plain
FROM asked_pairs
LEFT JOIN origins
    ON
        asked_pairs.record_id = origins.record_id
        AND asked_pairs.target = origins.target
        AND asked_pairs.target_id = origins.target_id
LEFT JOIN taken_over
    ON
        asked_pairs.record_id = taken_over.record_id
        AND asked_pairs.target = taken_over.target
        AND asked_pairs.target_id = taken_over.target_id

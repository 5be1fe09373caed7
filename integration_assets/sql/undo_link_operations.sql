-- The link and unlink operations that undo a run: labels it put on are taken off, labels it took off are put on.
-- A label that is as it was before needs nothing. Where the answer to a write was never read, the first later write of
-- the same label tells: the same change made again shows that this run's did not arrive.
-- grain: one link or unlink of one pair; key: action, key, target, target_id; columns as sync.plan_operations
-- inputs: sync.ledger, temp undo_records, raw.crm_links;
-- variables undone_run, portal_id, plan_id, last_seq, labels (ours)
WITH changes AS (
    SELECT
        ledger.ledger_id,
        ledger.run_id = getvariable('undone_run') AS own,
        ledger.action,
        ledger.key,
        ledger.target,
        ledger.target_id,
        coalesce(ledger.outcome = 'verified', FALSE) AS verified,
        unnest(
            CASE
                WHEN ledger.action = 'unlink' THEN ledger.after_labels
                ELSE
                    list_filter(
                        ledger.after_labels,
                        LAMBDA label: NOT list_contains(ledger.before_labels, label)
                    )
            END
        ) AS label
    FROM sync.ledger AS ledger
    INNER JOIN undo_records ON ledger.key = undo_records.key
    WHERE
        ledger.portal_id = getvariable('portal_id')
        AND ledger.action IN ('link', 'unlink')
        AND ledger.ledger_id >= (
            SELECT min(first_one.ledger_id)
            FROM sync.ledger AS first_one
            WHERE first_one.run_id = getvariable('undone_run')
        )
),

done_by_label AS (
    SELECT
        key,
        target,
        target_id,
        label,
        arg_min(action, ledger_id) FILTER (own) AS first_action,
        arg_max(action, ledger_id) FILTER (own) AS last_action,
        bool_or(verified) FILTER (own) AS verified,
        arg_min(action, ledger_id) FILTER (NOT own) AS later_action
    FROM changes
    WHERE list_contains(getvariable('labels'), label)
    GROUP BY key, target, target_id, label
    HAVING bool_or(own)
),

present AS (
    SELECT
        undo_records.key,
        live.target,
        live.target_id,
        list_sort(list(DISTINCT live.label)) AS labels
    FROM raw.crm_links AS live
    INNER JOIN undo_records ON live.record_id = undo_records.record_id
    GROUP BY undo_records.key, live.target, live.target_id
),

to_undo AS (
    SELECT
        done_by_label.key,
        done_by_label.target,
        done_by_label.target_id,
        done_by_label.label,
        CASE done_by_label.first_action WHEN 'link' THEN 'unlink' ELSE 'link' END AS action,
        coalesce(present.labels, []) AS present_labels
    FROM done_by_label
    LEFT JOIN present
        ON
            done_by_label.key = present.key
            AND done_by_label.target = present.target
            AND done_by_label.target_id = present.target_id
    WHERE
        list_contains(coalesce(present.labels, []), done_by_label.label)
        = (done_by_label.first_action = 'link')
        AND (
            done_by_label.verified
            OR done_by_label.later_action IS NULL
            OR done_by_label.later_action <> done_by_label.last_action
        )
),

operations AS (
    SELECT
        action,
        key,
        target,
        target_id,
        present_labels AS before_labels,
        CASE action
            WHEN 'link' THEN list_sort(list_distinct(list_concat(present_labels, list(label))))
            ELSE list_sort(list(label))
        END AS after_labels
    FROM to_undo
    GROUP BY action, key, target, target_id, present_labels
)

SELECT
    getvariable('plan_id') AS plan_id,
    -- links before unlinks, companies before contacts
    getvariable('last_seq') + row_number() OVER (
        ORDER BY operations.action, operations.target, operations.key, operations.target_id
    ) AS seq,
    operations.action,
    operations.key,
    undo_records.record_id,
    operations.target,
    operations.target_id,
    NULL AS before_values,
    NULL AS after_values,
    operations.before_labels,
    operations.after_labels,
    FALSE AS moved
FROM operations
INNER JOIN undo_records ON operations.key = undo_records.key

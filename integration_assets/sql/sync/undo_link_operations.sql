-- The link and unlink operations that undo a run: labels it put on are taken off, labels it took off are put on.
-- A label that is as it was before needs nothing. Where the answer to a write was never read, the first later write of
-- the same label tells: the same change made again shows that this run's did not arrive. The plain association goes
-- with the last label where the pair was empty before the run, or before us.
-- grain: one link or unlink of one pair; key: action, key, target, target_id
-- inputs: sync.ledger, temp undo_records, temp link_origins, raw.crm_links;
-- variables undone_run, portal_id, labels (ours)
WITH changes AS (
    SELECT
        ledger.ledger_id,
        ledger.run_id = getvariable('undone_run') AS own,
        ledger.action,
        ledger.key,
        ledger.target,
        ledger.target_id,
        coalesce(ledger.before_labels, []) AS labels_before,
        coalesce(ledger.outcome = 'verified', FALSE) AS verified,
        unnest(
            -- an unlink lists what it takes off; a link lists the whole set, of which only what is new is its doing
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
        -- of a person who was forgotten: nobody knows any more whom to link
        AND ledger.target_id IS NOT NULL
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
        min(ledger_id) FILTER (own) AS first_id,
        arg_min(labels_before, ledger_id) FILTER (own) AS labels_before,
        bool_or(verified) FILTER (own) AS verified,
        arg_min(action, ledger_id) FILTER (NOT own) AS later_action
    FROM changes
    WHERE list_contains(getvariable('labels'), label) OR label = 'plain'
    GROUP BY key, target, target_id, label
    -- labels that only later runs wrote are not this run's to undo
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
        done_by_label.labels_before,
        done_by_label.first_id,
        -- the state before the run is the opposite of what its first write made
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

by_pair AS (
    SELECT
        to_undo.action,
        to_undo.key,
        undo_records.record_id,
        to_undo.target,
        to_undo.target_id,
        to_undo.present_labels,
        list_sort(list(to_undo.label)) AS labels,
        list_filter(list(to_undo.label), LAMBDA label: label <> 'plain') AS our_labels,
        arg_min(to_undo.labels_before, to_undo.first_id) AS labels_before
    FROM to_undo
    INNER JOIN undo_records ON to_undo.key = undo_records.key
    GROUP BY
        to_undo.action, to_undo.key, undo_records.record_id, to_undo.target, to_undo.target_id, to_undo.present_labels
),

judged AS (
    SELECT
        by_pair.*,
        list_filter(
            by_pair.present_labels,
            LAMBDA label: NOT list_contains(by_pair.our_labels, label)
        ) = ['plain']
        AND (
            list_contains(by_pair.labels, 'plain')
            OR len(by_pair.labels_before) = 0
            -- labels of ours stood there already: what was there before those?
            OR (
                list_has_any(by_pair.labels_before, getvariable('labels'))
                AND coalesce(link_origins.was_empty, FALSE)
            )
        ) AS is_whole
    FROM by_pair
    LEFT JOIN link_origins
        ON
            by_pair.record_id = link_origins.record_id
            AND by_pair.target = link_origins.target
            AND by_pair.target_id = link_origins.target_id
)

SELECT
    action,
    key,
    record_id,
    target,
    target_id,
    present_labels AS before_labels,
    CASE
        -- a link writes the whole set, so that labels of others are carried along
        WHEN action = 'link' THEN list_sort(list_distinct(list_concat(present_labels, labels)))
        WHEN is_whole THEN present_labels
        ELSE list_sort(our_labels)
    END AS after_labels
FROM judged
-- the plain association alone goes only with a whole pair
WHERE action = 'link' OR is_whole OR len(our_labels) > 0

-- The link and unlink operations of a plan: our labels compared pair by pair, foreign labels carried along.
-- A pair that was empty before us, and has only labels of ours and the plain association now, is removed whole.
-- grain: one link or unlink of one pair; key: action, key, target, target_id; columns as sync.plan_operations
-- inputs: temp compared_links, temp link_origins; variables plan_id, last_seq
WITH judged AS (
    SELECT
        compared_links.*,
        coalesce(link_origins.was_empty, FALSE) AS was_empty,
        coalesce(link_origins.was_empty AND link_origins.left_plain, FALSE) AS is_left_behind
    FROM compared_links
    LEFT JOIN link_origins
        ON
            compared_links.record_id = link_origins.record_id
            AND compared_links.target = link_origins.target
            AND compared_links.target_id = link_origins.target_id
),

operations AS (
    SELECT
        'link' AS action,
        key,
        record_id,
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
        record_id,
        target,
        target_id,
        present_labels AS before_labels,
        -- known only of pairs that would keep nothing but the plain association: there it goes as well
        CASE WHEN was_empty THEN present_labels ELSE list_sort(stale_labels) END AS after_labels
    FROM judged
    WHERE len(stale_labels) > 0
    UNION ALL
    SELECT
        'unlink' AS action,
        key,
        record_id,
        target,
        target_id,
        present_labels AS before_labels,
        present_labels AS after_labels
    FROM judged
    WHERE is_plain_only AND is_left_behind
)

SELECT
    getvariable('plan_id') AS plan_id,
    -- links before unlinks, companies before contacts, labels before whole pairs
    getvariable('last_seq') + row_number() OVER (
        ORDER BY action, target, action = 'unlink' AND list_contains(after_labels, 'plain'), key, target_id
    ) AS seq,
    action,
    key,
    record_id,
    target,
    target_id,
    NULL AS before_values,
    NULL AS after_values,
    before_labels,
    after_labels,
    FALSE AS moved
FROM operations

-- The link and unlink operations of a plan: our labels compared pair by pair, foreign labels carried along.
-- A pair that was empty before us, and has only labels of ours and the plain association now, is removed whole.
-- grain: one link or unlink of one pair; key: action, key, target, target_id
-- inputs: temp compared_links, temp link_origins
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
)

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

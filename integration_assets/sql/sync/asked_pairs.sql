-- The pairs that would be left with nothing but the plain association, or are: whose it is, the ledger may know.
-- grain: one pair; key: record_id, target, target_id
-- inputs: temp compared_links
SELECT
    record_id,
    target,
    target_id
FROM compared_links
WHERE
    is_plain_only
    OR (
        -- nothing new is wanted on it, and what would be taken off is all there is beside the plain association
        len(stale_labels) > 0
        AND list_sort(list_concat(stale_labels, ['plain'])) = present_labels
        AND all_labels = present_labels
    )

-- Operations on pairs, numbered behind those of the records in the order in which they are applied.
-- grain: one link or unlink of one pair; key: action, key, target, target_id; columns as sync.plan_operations
-- inputs: temp link_operations; variables plan_id, last_seq
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
FROM link_operations

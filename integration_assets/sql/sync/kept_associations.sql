-- The pairs of a plan that lose our label and stay associated: the association was there before our first link, or the
-- ledger does not know.
-- grain: one pair; key: key, pair
-- inputs: sync.plan_operations; variable plan_id
SELECT
    key,
    target || ':' || target_id AS pair
FROM sync.plan_operations
WHERE
    plan_id = getvariable('plan_id')
    AND action = 'unlink'
    AND NOT list_contains(after_labels, 'plain')
    AND list_filter(before_labels, LAMBDA label: NOT list_contains(after_labels, label)) = ['plain']
ORDER BY seq

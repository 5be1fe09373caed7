-- The pairs that carry nothing but the plain association and that a plan leaves alone: a person made them, or they are
-- left of a label, which the ledger does not know.
-- grain: one pair; key: pair
-- inputs: temp compared_links, sync.plan_operations; variable plan_id
WITH removed AS (
    SELECT
        key,
        target,
        target_id
    FROM sync.plan_operations
    WHERE plan_id = getvariable('plan_id') AND action = 'unlink'
)

SELECT compared_links.key || ':' || compared_links.target || ':' || compared_links.target_id AS pair
FROM compared_links
ANTI JOIN removed
    ON
        compared_links.key = removed.key
        AND compared_links.target = removed.target
        AND compared_links.target_id = removed.target_id
WHERE compared_links.is_plain_only
ORDER BY pair

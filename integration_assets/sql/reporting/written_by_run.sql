-- What the ledger knows of one run's writes: only what was read back counts as done.
-- grain: one action (create | update | retire | link | unlink); key: action
-- inputs: sync.ledger; parameter 1: run id
WITH writes AS (
    SELECT
        action,
        outcome,
        CASE
            -- the plain association comes and goes with labels; alone it counts as one
            WHEN action IN ('link', 'unlink')
                THEN greatest(
                    1,
                    len(
                        list_filter(
                            after_labels,
                            LAMBDA label: label <> 'plain'
                            AND (action = 'unlink' OR NOT list_contains(coalesce(before_labels, []), label))
                        )
                    )
                )
            ELSE 1
        END AS items
    FROM sync.ledger
    -- A write of the state alone corrects a record that is counted already.
    WHERE run_id = $1 AND coalesce(map_keys(after_values), []) <> ['managed_state']
)

SELECT
    action,
    coalesce(sum(items) FILTER (WHERE outcome = 'verified'), 0)::BIGINT AS verified,
    coalesce(sum(items) FILTER (WHERE outcome = 'rejected'), 0)::BIGINT AS rejected,
    coalesce(sum(items) FILTER (WHERE outcome IS NULL OR outcome = 'unknown'), 0)::BIGINT AS unsure
FROM writes
GROUP BY action
ORDER BY action

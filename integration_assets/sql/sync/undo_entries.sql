-- What a run and later ones wrote into some records.
-- grain: one record write; key: ledger_id
-- inputs: sync.ledger; variables undone_run, portal_id, keys
SELECT
    key,
    coalesce(run_id = getvariable('undone_run'), FALSE) AS own,
    action,
    before_values,
    after_values,
    outcome
FROM sync.ledger
WHERE
    portal_id = getvariable('portal_id')
    AND action IN ('create', 'update', 'retire')
    AND list_contains(getvariable('keys'), key)
    AND ledger_id >= (
        SELECT min(first_one.ledger_id)
        FROM sync.ledger AS first_one
        WHERE first_one.run_id = getvariable('undone_run')
    )
ORDER BY ledger_id

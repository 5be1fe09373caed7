-- The records a run touched, or whose links it touched.
-- grain: one record; key: key
-- inputs: sync.ledger; variables undone_run, portal_id
SELECT
    key,
    -- a record that was archived and made anew has another id: the last one this run met counts
    arg_max(record_id, ledger_id) AS record_id,
    coalesce(bool_or(outcome = 'verified'), FALSE) AS certain,
    bool_or(action IN ('link', 'unlink')) AS linked
FROM sync.ledger
WHERE
    run_id = getvariable('undone_run')
    AND portal_id = getvariable('portal_id')
    -- companies are no records of ours: they are undone by themselves
    AND action <> 'roll_up'
GROUP BY key
ORDER BY key

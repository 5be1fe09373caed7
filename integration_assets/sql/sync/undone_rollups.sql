-- What a run wrote into our properties on companies, and what was there before it.
-- grain: one company and field; key: company_id, field
-- inputs: sync.ledger; variables undone_run, portal_id
WITH written AS (
    SELECT
        ledger_id,
        record_id AS company_id,
        outcome,
        before_values,
        unnest(map_entries(after_values)) AS entry
    FROM sync.ledger
    WHERE
        action = 'roll_up'
        AND run_id = getvariable('undone_run')
        AND portal_id = getvariable('portal_id')
        -- what was refused is not there to be taken back
        AND outcome IS DISTINCT FROM 'rejected'
)

SELECT
    written.company_id,
    written.entry.key AS field,
    arg_min(written.before_values[written.entry.key], written.ledger_id) AS before_value,
    list(DISTINCT written.entry.value ORDER BY written.entry.value) AS written_values,
    coalesce(bool_or(written.outcome = 'verified'), FALSE) AS certain
FROM written
GROUP BY written.company_id, written.entry.key
ORDER BY written.company_id, field

-- The pairs of live records that a run linked or unlinked: what stood on them before, the ledger may know.
-- grain: one pair; key: record_id, target, target_id
-- inputs: sync.ledger, temp undo_records; variables undone_run, portal_id
SELECT DISTINCT
    undo_records.record_id,
    ledger.target,
    ledger.target_id
FROM sync.ledger AS ledger
INNER JOIN undo_records ON ledger.key = undo_records.key
WHERE
    ledger.run_id = getvariable('undone_run')
    AND ledger.portal_id = getvariable('portal_id')
    AND ledger.action IN ('link', 'unlink')
    -- of a person who was forgotten
    AND ledger.target_id IS NOT NULL

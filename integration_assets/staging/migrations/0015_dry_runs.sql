-- Dry runs wrote nothing; what they would have written is in their summary.
UPDATE ops.runs
SET
    records_created = 0,
    records_updated = 0,
    links_created = 0,
    links_removed = 0
WHERE mode IN ('dry_run', 'undo_plan');

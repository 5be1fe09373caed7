-- What was applied to a portal before.
-- grain: one row
-- inputs: sync.plans; variable portal_id
SELECT
    count(*) FILTER (status = 'applied' AND kind = 'sync') AS applied,
    count(*) FILTER (status = 'applying' AND kind = 'sync') AS unfinished,
    arg_max(mapping_version, finished_at) FILTER (status = 'applied' AND kind = 'sync') AS mapping_version,
    max(finished_at) FILTER (status = 'applied' AND kind = 'sync') AS last_sync_at,
    -- begun is enough: an undo that was interrupted may have written as well
    max(started_at) FILTER (kind = 'undo') AS last_undo_at
FROM sync.plans
WHERE portal_id = getvariable('portal_id')

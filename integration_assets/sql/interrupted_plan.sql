-- The plan whose application began and did not end, unless a later one ended.
-- grain: at most one plan
-- inputs: sync.plans; variables portal_id, mapping_version
SELECT header
FROM sync.plans AS begun
WHERE
    status = 'applying'
    AND kind = 'sync'
    AND portal_id = getvariable('portal_id')
    AND mapping_version = getvariable('mapping_version')
    AND started_at > coalesce(
        (
            SELECT max(finished_at)
            FROM sync.plans AS ended
            WHERE status = 'applied' AND portal_id = getvariable('portal_id')
        ),
        TIMESTAMP '1970-01-01'
    )
ORDER BY started_at DESC
LIMIT 1

-- The plan whose application began and did not end, unless a later one ended.
-- grain: at most one plan
-- inputs: sync.plans; variables portal_id, mapping_version
SELECT begun.header
FROM sync.plans AS begun
WHERE
    begun.status = 'applying'
    AND begun.kind = 'sync'
    AND begun.portal_id = getvariable('portal_id')
    AND begun.mapping_version = getvariable('mapping_version')
    AND begun.started_at > coalesce(
        (
            SELECT max(ended.finished_at)
            FROM sync.plans AS ended
            WHERE ended.status = 'applied' AND ended.portal_id = getvariable('portal_id')
        ),
        TIMESTAMP '1970-01-01'
    )
ORDER BY begun.started_at DESC
LIMIT 1

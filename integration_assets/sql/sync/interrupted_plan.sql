-- The plan whose application began and did not end, unless a later one ended or an undo was begun since.
-- grain: at most one plan
-- inputs: sync.plans; variable portal_id
SELECT begun.header
FROM sync.plans AS begun
WHERE
    begun.status = 'applying'
    AND begun.kind = 'sync'
    AND begun.portal_id = getvariable('portal_id')
    -- an undo counts from its beginning: what is left to do after it, even a partial one, is not the rest of this plan
    AND begun.started_at > coalesce(
        (
            SELECT max(coalesce(ended.finished_at, ended.started_at))
            FROM sync.plans AS ended
            WHERE
                ended.portal_id = getvariable('portal_id')
                AND (ended.status = 'applied' OR ended.kind = 'undo')
        ),
        TIMESTAMP '1970-01-01'
    )
ORDER BY begun.started_at DESC
LIMIT 1

-- The numbers of the last good run of a portal.
-- grain: at most one run
-- inputs: sync.baselines; variable portal_id
SELECT
    plan_id,
    requests,
    votes,
    companies,
    voted_companies,
    voted_arr,
    unmatched_votes
FROM sync.baselines
WHERE portal_id = getvariable('portal_id')
ORDER BY recorded_at DESC
LIMIT 1

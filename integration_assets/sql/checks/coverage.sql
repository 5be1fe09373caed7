-- Counted votes, those matched to a company, and those of the tenant's own staff, which are not meant to be matched.
-- grain: one row
-- inputs: resolved.votes
SELECT
    count(*) AS votes,
    count(*) FILTER (company_id IS NOT NULL) AS matched,
    -- a vote that was matched has no reason
    count(*) FILTER (coalesce(reason = 'own_staff', FALSE)) AS own_staff
FROM resolved.votes

-- ranked.unresolved_votes, asset unresolved_votes: votes that count for no company, by domain.
-- grain: one domain and reason; key: email_domain, reason
-- inputs: resolved.votes
-- email_domain is null without an address. candidate_company_ids: all companies between which nothing decided.

WITH totals AS (
    SELECT
        email_domain,
        reason,
        count(*) AS votes,
        count(DISTINCT request_id) AS requests,
        max(created_at) AS last_vote_at
    FROM resolved.votes
    WHERE reason IS NOT NULL
    GROUP BY email_domain, reason
),

sets AS (
    SELECT DISTINCT
        email_domain,
        reason,
        candidate_company_ids
    FROM resolved.votes
    WHERE len(candidate_company_ids) > 0
),

members AS (
    SELECT
        email_domain,
        reason,
        unnest(candidate_company_ids) AS company_id
    FROM sets
),

candidates AS (
    SELECT
        email_domain,
        reason,
        list(DISTINCT company_id ORDER BY company_id) AS company_ids
    FROM members
    GROUP BY email_domain, reason
)

SELECT
    totals.email_domain,
    totals.reason,
    totals.votes,
    totals.requests,
    coalesce(candidates.company_ids, []::VARCHAR[]) AS candidate_company_ids,
    totals.last_vote_at
FROM totals
LEFT JOIN candidates
    ON totals.email_domain IS NOT DISTINCT FROM candidates.email_domain AND totals.reason = candidates.reason
ORDER BY totals.votes DESC, totals.email_domain ASC NULLS LAST, totals.reason ASC

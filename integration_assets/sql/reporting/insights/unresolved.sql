-- Votes lost, by domain, those with most votes first.
-- grain: one domain and reason; key: email_domain, reason
-- inputs: ranked.unresolved_votes
SELECT
    email_domain,
    reason,
    votes,
    requests,
    candidate_company_ids,
    last_vote_at,
    count(*) OVER () AS found,
    sum(votes) OVER () AS all_votes
FROM ranked.unresolved_votes
ORDER BY votes DESC, email_domain ASC NULLS LAST, reason ASC
LIMIT
    $most_rows
    OFFSET $skipped

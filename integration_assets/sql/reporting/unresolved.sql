-- Votes lost, by domain, as a terminal shows them.
-- grain: one domain and reason; key: email_domain, reason
-- inputs: ranked.unresolved_votes; parameter 1: most rows
SELECT
    email_domain,
    reason,
    votes,
    requests,
    candidate_company_ids,
    last_vote_at
FROM ranked.unresolved_votes
ORDER BY votes DESC, email_domain ASC, reason ASC
LIMIT $1

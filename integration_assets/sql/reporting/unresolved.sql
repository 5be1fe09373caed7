-- Votes lost, by domain, as a terminal shows them: first those that a mapping mends.
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
ORDER BY
    -- personal mail and people without an address are for nobody to map, however many they are
    email_domain IS NULL OR reason NOT IN (
        'unknown_domain', 'ambiguous_domain', 'ambiguous_account', 'suspected_mail_provider'
    ),
    votes DESC,
    email_domain ASC,
    reason ASC
LIMIT $1

-- Votes lost, by domain, of those that a mapping mends; the domains with most votes first.
-- grain: one domain and reason; key: email_domain, reason
-- inputs: ranked.unresolved_votes
SELECT
    email_domain,
    reason,
    votes,
    requests,
    candidate_company_ids,
    last_vote_at,
    count(*) OVER () AS found
FROM ranked.unresolved_votes
WHERE
    email_domain IS NOT NULL
    AND reason IN ('unknown_domain', 'ambiguous_domain', 'ambiguous_account', 'suspected_mail_provider')
ORDER BY votes DESC, email_domain ASC, reason ASC
LIMIT
    $most_rows
    OFFSET $skipped
